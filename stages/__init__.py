"""What each step of the pipeline does; one package per DVC stage."""
