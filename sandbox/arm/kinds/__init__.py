"""The resource types, one module each: what a PUT is checked for, and what a write or delete entails."""
