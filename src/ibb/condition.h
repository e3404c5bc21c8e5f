/* SPDX-License-Identifier: MIT */
/*
 * condition - the error conditions of stanzas, and the one table of what each means to a user.
 *
 * Threads: pure functions.
 * Source:  RFC 6120 sections 8.3.2 (types) and 8.3.3 (conditions); XEP-0047 section 2.
 */
#ifndef IBB_CONDITION_H
#define IBB_CONDITION_H

#include <stdbool.h>

/* RFC 6120 section 8.3.3, in its order. CONDITION_NONE: no error. */
enum condition {
	CONDITION_NONE,
	CONDITION_BAD_REQUEST,
	CONDITION_CONFLICT,
	CONDITION_FEATURE_NOT_IMPLEMENTED,
	CONDITION_FORBIDDEN,
	CONDITION_GONE,
	CONDITION_INTERNAL_SERVER_ERROR,
	CONDITION_ITEM_NOT_FOUND,
	CONDITION_JID_MALFORMED,
	CONDITION_NOT_ACCEPTABLE,
	CONDITION_NOT_ALLOWED,
	CONDITION_NOT_AUTHORIZED,
	CONDITION_POLICY_VIOLATION,
	CONDITION_RECIPIENT_UNAVAILABLE,
	CONDITION_REDIRECT,
	CONDITION_REGISTRATION_REQUIRED,
	CONDITION_REMOTE_SERVER_NOT_FOUND,
	CONDITION_REMOTE_SERVER_TIMEOUT,
	CONDITION_RESOURCE_CONSTRAINT,
	CONDITION_SERVICE_UNAVAILABLE,
	CONDITION_SUBSCRIPTION_REQUIRED,
	CONDITION_UNDEFINED_CONDITION,
	CONDITION_UNEXPECTED_REQUEST,
};

/* RFC 6120 section 8.3.2. */
enum error_type {
	ERROR_TYPE_CANCEL,
	ERROR_TYPE_AUTH,
	ERROR_TYPE_CONTINUE,
	ERROR_TYPE_MODIFY,
	ERROR_TYPE_WAIT,
};

/* The element's name, such as "item-not-found"; static. NULL for CONDITION_NONE. */
const char *condition_name(enum condition condition);

/* CONDITION_UNDEFINED_CONDITION for NULL and for a name that RFC 6120 does not have. */
enum condition condition_from_name(const char *name);

/* The type that we send with a condition: RFC 6120's recommendation or XEP-0047's example. */
enum error_type condition_type(enum condition condition);

/* The attribute's value, such as "cancel"; static. */
const char *error_type_name(enum error_type type);

/* ERROR_TYPE_CANCEL for NULL and for an unknown name. */
enum error_type error_type_from_name(const char *name);

/* What an error in answer to <open/> means to the caller of open(2): a negative errno. */
int condition_open_error(enum condition condition);

/* What an error in answer to <data/>, or to a probe, means to the users of the stream: a negative
 * errno. */
int condition_stream_error(enum condition condition);

/* What an error of an ibbfs in answer to <close/> or <sync/> means, which has not stored the bytes
 * then: a negative errno. */
int condition_store_error(enum condition condition);

/* Whether it says that the peer, or its server, cannot be reached any more. */
bool condition_means_gone(enum condition condition);

/* Likewise, or that the server answers for a resource that is offline now (RFC 6121 section
 * 8.5.3.2). */
bool condition_means_away(enum condition condition);

/* What we answer to the <close/> or <sync/> of a file that could not be stored, with that -errno.
 */
enum condition condition_of_storage(int error);

#endif
