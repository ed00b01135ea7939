"""A person reviews suspect labels: on a page of this machine, or in a file for a spreadsheet or an annotation tool."""
