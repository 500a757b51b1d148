/* SPDX-License-Identifier: MIT */
/* See lazylib.h. */
#include "util/lazylib.h"

#include <dlfcn.h>

bool lazylib_load(LazyLib *l, Error *err)
{
    if (l->loaded) {
        return true;
    }
    void *lib = dlopen(l->file, RTLD_NOW | RTLD_LOCAL);
    if (!lib) {
        return error_set(err, "%s", dlerror()); /* names the file */
    }
    for (size_t i = 0; l->names[i]; i++) {
        l->fns[i] = dlsym(lib, l->names[i]);
        if (!l->fns[i]) {
            dlclose(lib);
            return error_set(err, "%s has no %s", l->file, l->names[i]);
        }
    }
    l->loaded = true;
    return true;
}
