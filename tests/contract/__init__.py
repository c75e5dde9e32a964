"""What every port promises, asked of its fake and of its real adapter alike."""
