"""The star picker."""
