/* SPDX-License-Identifier: MIT */
/*
 * braced - initialisers that a macro stands for: `#define SIZED(n) BRACED(.size = n, .date = 0)`.
 *
 * Braces as the whole of a macro are a block for clang-format up to 14, and a list for later ones.
 */
#ifndef BRACED_H
#define BRACED_H

// clang-format off
#define BRACED(...) {__VA_ARGS__}
// clang-format on

#endif
