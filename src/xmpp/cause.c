/* SPDX-License-Identifier: MIT */
#include "xmpp/cause.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The line of each kind: its subject, this text, the detail. */
static const struct {
	enum {
		ABOUT_PLACE,
		ABOUT_DOMAIN,
		ABOUT_ACCOUNT,
		ABOUT_DETAIL
	} about;
	const char *text; /* or NULL: the detail says it all */
} phrases[] = {
	[CAUSE_NONE] = {ABOUT_PLACE, "the connection ended"},
	[CAUSE_CLOSED] = {ABOUT_PLACE, "the server closed the connection"},
	[CAUSE_LOST] = {ABOUT_PLACE, "the connection was lost"},
	[CAUSE_TLS] = {ABOUT_PLACE, "the TLS handshake failed"},
	[CAUSE_NOT_XMPP] = {ABOUT_PLACE, "what answers there does not speak XMPP"},
	[CAUSE_INTERNAL] = {ABOUT_PLACE, NULL},
	[CAUSE_BIND] = {ABOUT_ACCOUNT, "the server refused the resource"},
	[CAUSE_UNREACHABLE] = {ABOUT_PLACE, NULL},
	[CAUSE_NAME] = {ABOUT_PLACE, "host not found"},
	[CAUSE_NO_SERVICE] = {ABOUT_DOMAIN, "the domain says that it has no XMPP service"},
	[CAUSE_TIMEOUT] = {ABOUT_PLACE, NULL},
	[CAUSE_STREAM] = {ABOUT_PLACE, "the server closed the stream"},
	[CAUSE_MECHANISM] = {ABOUT_ACCOUNT, "the server offers no way to log in that we know"},
	[CAUSE_CONFLICT] = {ABOUT_ACCOUNT, "another client has taken our resource"},
	[CAUSE_NO_TLS] = {ABOUT_PLACE, "the server does not offer TLS"},
	[CAUSE_CA] = {ABOUT_DETAIL, NULL},
	[CAUSE_CERTIFICATE] = {ABOUT_DOMAIN, "the server's certificate is not trusted"},
	[CAUSE_LOGIN] = {ABOUT_ACCOUNT, "the server refused the login"},
	[CAUSE_PASSWORD] = {ABOUT_ACCOUNT, "the server refused the password"},
};

/* Prefixes of lines of libstrophe's log: of 0.12.2 and 0.14.0, or of the version named. */
static const struct {
	const char *prefix;
	enum cause_kind kind;
} lines[] = {
	{"TLS is not supported, but set as mandatory", CAUSE_NO_TLS},
	{"Couldn't start TLS!", CAUSE_TLS},
	{"Unrecoverable TLS error", CAUSE_LOST}, /* 0.12.2 */
	{"Unrecoverable error: ", CAUSE_LOST},	 /* 0.14.0, also without TLS */
	{"Cannot authenticate with known methods", CAUSE_MECHANISM},
	{"Binding failed.", CAUSE_BIND},
	{"Stream features does not allow resource bind", CAUSE_BIND},
	{"Server did not open valid stream", CAUSE_NOT_XMPP},
	{"parse error", CAUSE_NOT_XMPP},
	{"didn't get stream features", CAUSE_TIMEOUT},
	{"Did not receive stream features", CAUSE_TIMEOUT},
	{"Server did not reply to", CAUSE_TIMEOUT},
};

/* RFC 6120 section 6.5, but for <not-authorized/>. */
static const char *const login_errors[] = {
	"account-disabled",  "credentials-expired",    "encryption-required", "invalid-authzid",
	"invalid-mechanism", "mechanism-too-weak",     "malformed-request",   "incorrect-encoding",
	"aborted",	     "temporary-auth-failure",
};

/* In the order of xmpp_error_type_t. */
static const char *const stream_errors[] = {
	"bad-format",
	"bad-namespace-prefix",
	"conflict",
	"connection-timeout",
	"host-gone",
	"host-unknown",
	"improper-addressing",
	"internal-server-error",
	"invalid-from",
	"invalid-id",
	"invalid-namespace",
	"invalid-xml",
	"not-authorized",
	"policy-violation",
	"remote-connection-failed",
	"resource-constraint",
	"restricted-xml",
	"see-other-host",
	"system-shutdown",
	"undefined-condition",
	"unsupported-encoding",
	"unsupported-stanza-type",
	"unsupported-version",
	"not-well-formed",
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

void cause_reset(struct cause *cause, const char *place)
{
	cause->kind = CAUSE_NONE;
	cause->detail[0] = '\0';
	cause->temporary = false;
	cause->offered[0] = '\0';
	snprintf(cause->place, sizeof(cause->place), "%s", place);
}

void cause_set(struct cause *cause, enum cause_kind kind, const char *detail)
{
	if (kind <= cause->kind) {
		return;
	}
	cause->kind = kind;
	snprintf(cause->detail, sizeof(cause->detail), "%s", detail != NULL ? detail : "");
}

void cause_set_errno(struct cause *cause, enum cause_kind kind, int error)
{
	char text[128];

	if (strerror_r(error, text, sizeof(text)) != 0) {
		snprintf(text, sizeof(text), "error %d", error);
	}
	cause_set(cause, kind, text);
}

void cause_offered(struct cause *cause, const char *mechanisms)
{
	snprintf(cause->offered, sizeof(cause->offered), "%s", mechanisms);
}

void cause_refused(struct cause *cause, const char *condition)
{
	enum cause_kind kind = CAUSE_PASSWORD;

	for (size_t i = 0; i < LENGTH(login_errors); i++) {
		if (strcmp(condition, login_errors[i]) == 0) {
			kind = CAUSE_LOGIN;
		}
	}
	cause_forget(cause);
	cause->temporary = strcmp(condition, "temporary-auth-failure") == 0;
	cause_set(cause, kind, kind == CAUSE_LOGIN ? condition : NULL);
}

void cause_forget(struct cause *cause)
{
	cause->kind = CAUSE_NONE;
	cause->detail[0] = '\0';
	cause->temporary = false;
}

static void learn_certificates(struct cause *cause)
{
	char detail[256];

	snprintf(detail, sizeof(detail), "%.200s: no certificate could be read",
		 cause->cafile != NULL ? cause->cafile : "the CA directory");
	cause_set(cause, CAUSE_CA, detail);
}

static const char *detail_of(const struct cause *cause, enum cause_kind kind)
{
	switch (kind) {
	case CAUSE_TIMEOUT:
		return "no answer";
	case CAUSE_MECHANISM:
		return cause->offered;
	default:
		return NULL;
	}
}

void cause_learn(struct cause *cause, const char *text)
{
	static const char failed[] = "connection failed, error ";

	if (strncmp(text, failed, strlen(failed)) == 0) {
		cause_set_errno(cause, CAUSE_UNREACHABLE, atoi(text + strlen(failed)));
	} else if (strcmp(text, "Connection attempt timed out.") == 0) {
		cause_set_errno(cause, CAUSE_UNREACHABLE, ETIMEDOUT);
	} else if (strncmp(text, "SSL_CTX_load_verify_locations", 29) == 0) {
		learn_certificates(cause);
	} else {
		for (size_t i = 0; i < LENGTH(lines); i++) {
			if (strncmp(text, lines[i].prefix, strlen(lines[i].prefix)) == 0) {
				cause_set(cause, lines[i].kind, detail_of(cause, lines[i].kind));
				break;
			}
		}
	}
}

void cause_end(struct cause *cause, int error, const xmpp_stream_error_t *stream_error)
{
	if (stream_error != NULL) {
		size_t type = (size_t)stream_error->type;
		const char *name = type < LENGTH(stream_errors) ? stream_errors[type] : "error";
		char detail[256];

		snprintf(detail, sizeof(detail), "%s%s%.180s", name,
			 stream_error->text != NULL ? ": " : "",
			 stream_error->text != NULL ? stream_error->text : "");
		if (stream_error->type == XMPP_SE_CONFLICT) {
			cause_set(cause, CAUSE_CONFLICT, stream_error->text);
		} else {
			cause_set(cause, CAUSE_STREAM, detail);
		}
	} else if (error == ETIMEDOUT) {
		cause_set_errno(cause, CAUSE_LOST, error);
	} else {
		/* The number says nothing to a user: 104 also stands for an orderly end, and 1 and
		 * 5 are OpenSSL's. */
		cause_set(cause, CAUSE_CLOSED, NULL);
	}
}

const char *cause_line(struct cause *cause)
{
	const char *text = phrases[cause->kind].text;
	const char *about = cause->place;

	switch (phrases[cause->kind].about) {
	case ABOUT_PLACE:
		break;
	case ABOUT_DOMAIN:
		about = cause->domain;
		break;
	case ABOUT_ACCOUNT:
		about = cause->account;
		break;
	case ABOUT_DETAIL:
		return cause->detail;
	}
	snprintf(cause->line, sizeof(cause->line), "%s%s%s%s%s", about, text != NULL ? ": " : "",
		 text != NULL ? text : "", cause->detail[0] != '\0' ? ": " : "", cause->detail);
	return cause->line;
}

bool cause_is_of_place(const struct cause *cause)
{
	switch (cause->kind) {
	case CAUSE_NONE:
	case CAUSE_CLOSED:
	case CAUSE_LOST:
	case CAUSE_TLS:
	case CAUSE_NOT_XMPP:
	case CAUSE_UNREACHABLE:
	case CAUSE_TIMEOUT:
	case CAUSE_STREAM:
	case CAUSE_NO_TLS:
	case CAUSE_CERTIFICATE:
		return true;
	default:
		return false;
	}
}

bool cause_is_final(const struct cause *cause)
{
	switch (cause->kind) {
	case CAUSE_CONFLICT:
	case CAUSE_PASSWORD:
		return true;
	case CAUSE_LOGIN:
		return !cause->temporary;
	default:
		return false;
	}
}
