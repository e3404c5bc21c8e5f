/* SPDX-License-Identifier: MIT */
#include "ibb/condition.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/*
 * The one table. Its index is enum condition, which is also the number of the condition's section
 * below RFC 6120 section 8.3.3. The comment beside each line has it again and, after the ';', the
 * section of XEP-0047 where that gives the type.
 *
 * An error of open names its cause; clients that accept bytestreams only after an offer answer
 * item-not-found. Once a stream is open, a lost session, peer or path is the same to its users:
 * what they have sent has not arrived.
 */
/* clang-format off */
static const struct {
	const char *name;
	enum error_type type; /* that we send */
	int open, stream;     /* errno */
} conditions[] = {
	{NULL,                      ERROR_TYPE_CANCEL, ECONNREFUSED,    ECONNRESET},
	{"bad-request",             ERROR_TYPE_CANCEL, EPROTO,          EPROTO},     /* 1; 2.2 */
	{"conflict",                ERROR_TYPE_CANCEL, ECONNREFUSED,    ECONNRESET}, /* 2 */
	{"feature-not-implemented", ERROR_TYPE_CANCEL, EPROTONOSUPPORT, ECONNRESET}, /* 3 */
	{"forbidden",               ERROR_TYPE_AUTH,   EACCES,          EACCES},     /* 4 */
	{"gone",                    ERROR_TYPE_CANCEL, EHOSTDOWN,       ECONNRESET}, /* 5 */
	{"internal-server-error",   ERROR_TYPE_CANCEL, ECONNREFUSED,    ECONNRESET}, /* 6 */
	{"item-not-found",          ERROR_TYPE_CANCEL, EPROTONOSUPPORT, ECONNRESET}, /* 7; 2.2 */
	{"jid-malformed",           ERROR_TYPE_MODIFY, EINVAL,          ECONNRESET}, /* 8 */
	{"not-acceptable",          ERROR_TYPE_CANCEL, ECONNREFUSED,    EPROTO},     /* 9; 2.1 */
	{"not-allowed",             ERROR_TYPE_CANCEL, EACCES,          EACCES},     /* 10 */
	{"not-authorized",          ERROR_TYPE_AUTH,   EACCES,          EACCES},     /* 11 */
	{"policy-violation",        ERROR_TYPE_MODIFY, EACCES,          EACCES},     /* 12 */
	{"recipient-unavailable",   ERROR_TYPE_WAIT,   EHOSTDOWN,       ECONNRESET}, /* 13 */
	{"redirect",                ERROR_TYPE_MODIFY, EHOSTDOWN,       ECONNRESET}, /* 14 */
	{"registration-required",   ERROR_TYPE_AUTH,   EACCES,          EACCES},     /* 15 */
	{"remote-server-not-found", ERROR_TYPE_CANCEL, EHOSTUNREACH,    ECONNRESET}, /* 16 */
	{"remote-server-timeout",   ERROR_TYPE_WAIT,   EHOSTUNREACH,    ECONNRESET}, /* 17 */
	{"resource-constraint",     ERROR_TYPE_MODIFY, ECONNREFUSED,    ECONNRESET}, /* 18; 2.1 */
	{"service-unavailable",     ERROR_TYPE_CANCEL, EPROTONOSUPPORT, ECONNRESET}, /* 19; 2.1 */
	{"subscription-required",   ERROR_TYPE_AUTH,   EACCES,          EACCES},     /* 20 */
	{"undefined-condition",     ERROR_TYPE_CANCEL, ECONNREFUSED,    ECONNRESET}, /* 21 */
	{"unexpected-request",      ERROR_TYPE_CANCEL, EPROTO,          EPROTO},     /* 22; 2.2 */
};
/* clang-format on */

_Static_assert(COUNT(conditions) == CONDITION_UNEXPECTED_REQUEST + 1, "a row for each condition");

static const char *const type_names[] = {
	[ERROR_TYPE_CANCEL] = "cancel",	    [ERROR_TYPE_AUTH] = "auth",
	[ERROR_TYPE_CONTINUE] = "continue", [ERROR_TYPE_MODIFY] = "modify",
	[ERROR_TYPE_WAIT] = "wait",
};

const char *condition_name(enum condition condition)
{
	return conditions[condition].name;
}

enum condition condition_from_name(const char *name)
{
	for (size_t i = 1; name != NULL && i < COUNT(conditions); i++) {
		if (strcmp(name, conditions[i].name) == 0) {
			return (enum condition)i;
		}
	}
	return CONDITION_UNDEFINED_CONDITION;
}

enum error_type condition_type(enum condition condition)
{
	return conditions[condition].type;
}

const char *error_type_name(enum error_type type)
{
	return type_names[type];
}

enum error_type error_type_from_name(const char *name)
{
	for (size_t i = 0; name != NULL && i < COUNT(type_names); i++) {
		if (strcmp(name, type_names[i]) == 0) {
			return (enum error_type)i;
		}
	}
	return ERROR_TYPE_CANCEL;
}

int condition_open_error(enum condition condition)
{
	return -conditions[condition].open;
}

int condition_stream_error(enum condition condition)
{
	return -conditions[condition].stream;
}

int condition_store_error(enum condition condition)
{
	if (condition == CONDITION_CONFLICT) {
		return -EIO; /* pieces of the file have changed at the peer */
	}
	return condition == CONDITION_RESOURCE_CONSTRAINT ? -ENOSPC : -ECONNRESET;
}

bool condition_means_gone(enum condition condition)
{
	return condition == CONDITION_RECIPIENT_UNAVAILABLE || condition == CONDITION_GONE ||
	       condition == CONDITION_REMOTE_SERVER_NOT_FOUND ||
	       condition == CONDITION_REMOTE_SERVER_TIMEOUT;
}

bool condition_means_away(enum condition condition)
{
	return condition == CONDITION_SERVICE_UNAVAILABLE || condition_means_gone(condition);
}

enum condition condition_of_storage(int error)
{
	if (error == -EBADMSG) {
		return CONDITION_CONFLICT; /* the digest of the whole is another one */
	}
	bool full = error == -ENOSPC || error == -EDQUOT;
	return full ? CONDITION_RESOURCE_CONSTRAINT : CONDITION_NOT_ACCEPTABLE;
}
