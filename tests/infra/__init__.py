"""The infrastructure files are checked against the code and against each other: no Azure, no Bicep CLI needed."""
