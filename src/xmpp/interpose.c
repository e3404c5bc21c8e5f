/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* RTLD_NEXT */

#include "xmpp/interpose.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>

static const char *const names[] = {
#define INTERPOSED_TEXT(name) #name,
	INTERPOSED_FUNCTIONS(INTERPOSED_TEXT)
#undef INTERPOSED_TEXT
};

static atomic_uint called; /* bits */
static _Atomic(void *) found[INTERPOSED_COUNT];

void interpose_find(const char *name, void **function)
{
	*function = dlsym(RTLD_NEXT, name);
}

void interpose(enum interposed which, void **function)
{
	unsigned bit = 1u << which;

	/* A load is cheaper, and the bit is mostly set already. */
	if (!(atomic_load_explicit(&called, memory_order_relaxed) & bit)) {
		atomic_fetch_or_explicit(&called, bit, memory_order_relaxed);
	}
	*function = atomic_load_explicit(&found[which], memory_order_relaxed);
	if (*function == NULL) {
		interpose_find(names[which], function);
		atomic_store_explicit(&found[which], *function, memory_order_relaxed);
	}
}

const char *interpose_missing(unsigned which)
{
	unsigned missing = which & ~atomic_load_explicit(&called, memory_order_relaxed);

	for (size_t i = 0; i < INTERPOSED_COUNT; i++) {
		if (missing & (1u << i)) {
			return names[i];
		}
	}
	return NULL;
}
