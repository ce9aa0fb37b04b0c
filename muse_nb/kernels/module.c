// setuptools links every extension with an initialiser. Nothing imports this one: ctypes loads the file for its kernels,
// so that building it needs a C compiler only, not Python's headers.
void *PyInit__core(void);
void *PyInit__core(void) { return 0; }
