/* SPDX-License-Identifier: MIT */
#include "xmpp/jid.h"

#include <arpa/inet.h>
#include <errno.h>
#include <idna.h>
#include <stdlib.h>
#include <string.h>
#include <stringprep.h>

#define PART_MAX 1023

size_t jid_bare_length(const char *jid)
{
	return strcspn(jid, "/");
}

const char *jid_resource(const char *jid)
{
	const char *slash = strchr(jid, '/');
	return slash ? slash + 1 : NULL;
}

bool jid_has_local(const char *jid)
{
	return memchr(jid, '@', jid_bare_length(jid)) != NULL;
}

bool jid_same_bare(const char *a, const char *b)
{
	size_t length = jid_bare_length(a);
	return length == jid_bare_length(b) && memcmp(a, b, length) == 0;
}

/* Whether `domain` may be an IPv6 address in brackets, or names of hosts between dots. Nameprep
 * turns fullwidth forms into '@' or '/', so the check comes after Nameprep. */
static bool is_domain(const char *domain, size_t length)
{
	if (domain[0] == '[') {
		char address[INET6_ADDRSTRLEN];
		struct in6_addr binary;
		if (domain[length - 1] != ']' || length - 2 >= sizeof(address)) {
			return false;
		}
		memcpy(address, domain + 1, length - 2);
		address[length - 2] = '\0';
		return inet_pton(AF_INET6, address, &binary) == 1;
	}
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)domain[i];
		if (c <= ' ' || c == 0x7f || strchr("\"&'/:<>@[]", c)) {
			return false;
		}
	}
	return domain[0] != '.' && domain[length - 1] != '.' && !strstr(domain, "..");
}

/* Whether both are the same name in the DNS. */
static bool is_same_name(const char *a, const char *b)
{
	char *ascii_a = NULL, *ascii_b = NULL;
	bool same = idna_to_ascii_8z(a, &ascii_a, 0) == IDNA_SUCCESS &&
		    idna_to_ascii_8z(b, &ascii_b, 0) == IDNA_SUCCESS &&
		    strcmp(ascii_a, ascii_b) == 0;
	free(ascii_a);
	free(ascii_b);
	return same;
}

/* RFC 7622 section 3.2.1: an address has U-labels, and no A-labels ("xn--..."). A label that
 * encodes nothing stays, and so does the domain if it would be another name. */
static int to_unicode(char domain[PART_MAX + 1])
{
	char *unicode = NULL;
	int error = idna_to_unicode_8z8z(domain, &unicode, 0);
	if (error) {
		return error == IDNA_MALLOC_ERROR ? -ENOMEM : 0;
	}
	size_t size = strlen(unicode) + 1;
	if (size <= PART_MAX + 1 && is_same_name(domain, unicode)) {
		memcpy(domain, unicode, size);
	}
	free(unicode);
	return 0;
}

/* Appends the normal form of a part to `jid`. */
static int append_part(char *jid, const char *part, size_t length,
		       const Stringprep_profile *profile)
{
	char prepared[PART_MAX + 1];
	if (length == 0 || length > PART_MAX) {
		return -EINVAL;
	}
	memcpy(prepared, part, length);
	prepared[length] = '\0';
	/* Refuses text that is not UTF-8, and a result that does not fit into `prepared`. */
	/* NOLINTNEXTLINE(clang-analyzer-optin.core.EnumCastOutOfRange): 0 is "no flag" */
	int error = stringprep(prepared, sizeof(prepared), 0, profile);
	if (error) {
		return error == STRINGPREP_MALLOC_ERROR ? -ENOMEM : -EINVAL;
	}
	if (profile == stringprep_nameprep && strstr(prepared, "xn--") != NULL) {
		error = to_unicode(prepared);
		if (error) {
			return error;
		}
	}
	length = strlen(prepared);
	if (profile == stringprep_nameprep) {
		/* RFC 7622 section 3.2: the final dot is not part of the address. */
		if (length > 0 && prepared[length - 1] == '.') {
			prepared[--length] = '\0';
		}
		if (length > 0 && !is_domain(prepared, length)) {
			return -EINVAL;
		}
	}
	if (length == 0) {
		return -EINVAL; /* nothing is left of the part */
	}
	strcat(jid, prepared);
	return 0;
}

int jid_normalize(const char *text, char **jid)
{
	/* RFC 7622 section 3.2: the first '/' first, then the first '@' before it. */
	const char *resource = jid_resource(text);
	size_t bare_length = jid_bare_length(text);
	const char *at = memchr(text, '@', bare_length);
	const char *domain = at ? at + 1 : text;
	size_t domain_length = (size_t)(text + bare_length - domain);

	char normal[JID_MAX + 1] = "";
	int error = 0;
	if (at) {
		error = append_part(normal, text, (size_t)(at - text), stringprep_xmpp_nodeprep);
		strcat(normal, "@");
	}
	if (!error) {
		error = append_part(normal, domain, domain_length, stringprep_nameprep);
	}
	if (!error && resource) {
		strcat(normal, "/");
		error = append_part(normal, resource, strlen(resource),
				    stringprep_xmpp_resourceprep);
	}
	if (error) {
		return error;
	}
	size_t size = strlen(normal) + 1;
	char *copy = malloc(size);
	if (!copy) {
		return -ENOMEM;
	}
	memcpy(copy, normal, size);
	*jid = copy;
	return 0;
}

int jid_domain_to_ascii(const char *domain, char **ascii)
{
	char *labels = NULL;
	int error = idna_to_ascii_8z(domain, &labels, 0);
	if (error == IDNA_MALLOC_ERROR) {
		return -ENOMEM;
	}
	*ascii = strdup(error ? domain : labels);
	free(labels);
	return *ascii != NULL ? 0 : -ENOMEM;
}
