"""The studio: a web page where a person tries, trains, converts, compares and watches."""
