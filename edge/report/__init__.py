"""What a person gets to see: the annotated picture and its recording."""
