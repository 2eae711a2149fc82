"""What training does to photographs so that they look like a cheap camera at a shop door."""
