/* SPDX-License-Identifier: MIT */
/*
 * endpoint - where to connect to: HOST[:PORT] on the command line.
 *
 * Errors:  the reason, for a line to the user; static, or strerror's and gai_strerror's. NULL: no
 *          error.
 * Threads: any.
 * Source:  RFC 3986 section 3.2.2 (brackets around an IPv6 address).
 */
#ifndef MOUNT_CLI_ENDPOINT_H
#define MOUNT_CLI_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

/* HOST, HOST:PORT, [IPV6], [IPV6]:PORT or IPV6. *host is the caller's; *port is 0 if there is
 * none. */
const char *endpoint_parse(const char *text, char **host, uint16_t *port);

/* Whether every address of `host` is a loopback address. May ask the resolver. */
const char *endpoint_is_local(const char *host, bool *local);

#endif
