// setuptools links every extension with an initialiser. Nothing imports this one: ctypes loads the file for its kernels,
// so that building it needs a C compiler only, not Python's headers.
void *PyInit__core(void);
void *PyInit__core(void) { return 0; }

// The digest of the C sources, as setup.py gives it: kernels of other sources than Python's are refused when they are loaded.
#define TEXT(word) #word
#define TEXT_OF(macro) TEXT(macro)
const char *kernel_sources(void);
const char *kernel_sources(void) { return TEXT_OF(MUSE_NB_SOURCES); }
