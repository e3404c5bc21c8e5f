/* SPDX-License-Identifier: MIT */
#include "mount/cli/endpoint.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static bool is_ipv6(const char *host)
{
	struct addrinfo hints = {.ai_family = AF_INET6, .ai_flags = AI_NUMERICHOST}, *list;

	if (getaddrinfo(host, NULL, &hints, &list) != 0) {
		return false;
	}
	freeaddrinfo(list);
	return true;
}

static bool parse_port(const char *text, uint16_t *port)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long number = strtoul(text, NULL, 10);

	*port = (uint16_t)number;
	return digits > 0 && digits <= 5 && text[digits] == '\0' && number > 0 &&
	       number <= UINT16_MAX;
}

const char *endpoint_parse(const char *text, char **host, uint16_t *port)
{
	const char *colon = strchr(text, ':');
	const char *port_text = NULL;
	bool bracket = text[0] == '[';
	bool ipv6 = bracket || (colon && strchr(colon + 1, ':'));
	size_t length;

	*port = 0;
	if (bracket) {
		text++;
		length = strcspn(text, "]");
		if (text[length] != ']' || (text[length + 1] && text[length + 1] != ':')) {
			return "must be HOST, HOST:PORT or [IPV6]:PORT";
		}
		port_text = text[length + 1] ? text + length + 2 : NULL;
	} else if (ipv6) {
		length = strlen(text);
	} else {
		length = strcspn(text, ":");
		port_text = colon ? colon + 1 : NULL;
	}
	if (port_text && !parse_port(port_text, port)) {
		return "the port must be 1 to 65535";
	}
	*host = strndup(text, length);
	if (!*host) {
		return strerror(ENOMEM);
	}
	const char *why = NULL;
	if (ipv6 && !is_ipv6(*host)) {
		why = "not an IPv6 address";
	} else if (!**host || strpbrk(*host, " \t\n/@[]")) {
		why = "not the name or address of a server";
	}
	if (why) {
		free(*host);
	}
	return why;
}

static bool is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)address;

		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	}
	if (address->sa_family == AF_INET6) {
		const struct in6_addr *in6 = &((const struct sockaddr_in6 *)address)->sin6_addr;

		return IN6_IS_ADDR_LOOPBACK(in6) ||
		       (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == 127);
	}
	return false;
}

const char *endpoint_is_local(const char *host, bool *local)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;

	int error = getaddrinfo(host, NULL, &hints, &list);
	if (error) {
		return error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error);
	}
	*local = true;
	for (const struct addrinfo *entry = list; entry; entry = entry->ai_next) {
		*local = *local && is_loopback(entry->ai_addr);
	}
	freeaddrinfo(list);
	return NULL;
}
