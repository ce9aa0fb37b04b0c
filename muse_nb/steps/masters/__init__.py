"""Every master calibration judged, and two nights of them compared."""
