"""The results of a coordinator: recorded outputs, a branch in git, and the text of a pull request."""
