"""All IFUs of all exposures on one sheet."""
