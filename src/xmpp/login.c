/* SPDX-License-Identifier: MIT */
#include "xmpp/login.h"

#include <string.h>
#include <strings.h>

#define NS_STREAMS "http://etherx.jabber.org/streams"
#define NS_ERRORS  "urn:ietf:params:xml:ns:xmpp-streams"
#define NS_TLS	   "urn:ietf:params:xml:ns:xmpp-tls"
#define NS_SASL	   "urn:ietf:params:xml:ns:xmpp-sasl"
#define NS_BIND	   "urn:ietf:params:xml:ns:xmpp-bind"
#define NS_BINDING "urn:xmpp:sasl-cb:0"

/* The mechanisms that some version of libstrophe knows. Others are not given to it, nor are
 * EXTERNAL and ANONYMOUS: they use no password. */
static const struct {
	const char *name;
	bool is_bound;
} mechanisms[] = {
	{"SCRAM-SHA-512-PLUS", true}, {"SCRAM-SHA-256-PLUS", true},
	{"SCRAM-SHA-1-PLUS", true},   {"SCRAM-SHA-512", false},
	{"SCRAM-SHA-256", false},     {"SCRAM-SHA-1", false},
	{"DIGEST-MD5", false},	      {"PLAIN", false},
};

/* RFC 6120 section 6.5: the conditions by which a server refuses the mechanism, before it checks
 * the password. */
static const char *const of_mechanism[] = {
	"invalid-mechanism",
	"mechanism-too-weak",
	"encryption-required",
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* The name without the namespace `uri`, or NULL if it is of another. */
static const char *local_name(const char *name, const char *uri)
{
	size_t length = strlen(uri);

	return strncmp(name, uri, length) == 0 && name[length] != '\0' ? name + length + 1 : NULL;
}

static bool is_named(const char *name, const char *uri, const char *local)
{
	const char *found = local_name(name, uri);

	return found != NULL && strcmp(found, local) == 0;
}

static void add_text(char *text, size_t size, const char *more, size_t length)
{
	size_t used = strlen(text);
	size_t room = size - 1 - used;

	if (length > room) {
		length = room;
	}
	memcpy(text + used, more, length);
	text[used + length] = '\0';
}

/* ---- events for libstrophe ---- */

static void tell(const struct login *login, const struct login_sink *sink, const char *local,
		 const char *text)
{
	static const char *none[] = {NULL};
	char name[128] = NS_SASL;
	size_t length = sizeof(NS_SASL) - 1;

	name[length] = login->separator;
	name[length + 1] = '\0';
	add_text(name, sizeof(name), local, strlen(local));
	sink->start(sink->context, name, none);
	if (text != NULL) {
		sink->text(sink->context, text, (int)strlen(text));
		sink->end(sink->context, name);
	}
}

static void tell_end(const struct login *login, const struct login_sink *sink, const char *local)
{
	char name[128] = NS_SASL;
	size_t length = sizeof(NS_SASL) - 1;

	name[length] = login->separator;
	name[length + 1] = '\0';
	add_text(name, sizeof(name), local, strlen(local));
	sink->end(sink->context, name);
}

/* ---- stream errors ---- */

/* An element begins. */
static void note_element(struct login *login, const char *name)
{
	login->in_error = login->depth == 2 && is_named(name, NS_STREAMS, "error");
}

/* RFC 6120 section 4.9.2: there must be a condition. */
static void end_error(struct login *login, const struct login_sink *sink, const char *error)
{
	static const char *none[] = {NULL};
	char name[] = NS_ERRORS " undefined-condition";

	if (login->in_error) {
		name[sizeof(NS_ERRORS) - 1] = error[sizeof(NS_STREAMS) - 1];
		sink->start(sink->context, name, none);
		sink->end(sink->context, name);
		login->in_error = false;
	}
}

/* ---- stream features ---- */

static void take_mechanism(struct login *login)
{
	if (login->offered[0] != '\0') {
		add_text(login->offered, sizeof(login->offered), " ", 1);
	}
	add_text(login->offered, sizeof(login->offered), login->text, strlen(login->text));
	for (size_t i = 0; i < LENGTH(mechanisms); i++) {
		if (strcasecmp(login->text, mechanisms[i].name) == 0) {
			login->mechanisms |= 1u << i;
		}
	}
}

static void take_binding(struct login *login, const char **attributes)
{
	for (; *attributes != NULL; attributes += 2) {
		if (strcmp(attributes[0], "type") == 0) {
			login->has_exporter |= strcmp(attributes[1], "tls-exporter") == 0;
			login->has_unique |= strcmp(attributes[1], "tls-unique") == 0;
		}
	}
}

/* Whether the server supports the type of channel binding that libstrophe uses. */
static bool can_bind(const struct login *login)
{
	const char *binding = login->events.binding(login->events.context);

	if (!login->lists_bindings) {
		return true; /* older servers do not say */
	}
	if (binding == NULL) {
		return login->has_exporter && login->has_unique;
	}
	return strcmp(binding, "tls-exporter") == 0 ? login->has_exporter : login->has_unique;
}

static void end_features(struct login *login, const struct login_sink *sink)
{
	bool is_secured = login->events.is_secured(login->events.context);
	bool binds = is_secured && can_bind(login);
	bool is_begun = false;

	login->unbound = false;
	if (login->requires_tls && !is_secured) {
		return;
	}
	for (size_t i = 0; i < LENGTH(mechanisms); i++) {
		if (!(login->mechanisms & 1u << i)) {
			continue;
		}
		if (mechanisms[i].is_bound && !binds) {
			login->unbound = is_secured;
			continue;
		}
		if (!is_begun) {
			tell(login, sink, "mechanisms", NULL);
			is_begun = true;
		}
		tell(login, sink, "mechanism", mechanisms[i].name);
		login->has_digest |= strcmp(mechanisms[i].name, "DIGEST-MD5") == 0;
	}
	if (is_begun) {
		tell_end(login, sink, "mechanisms");
		login->has_offered = true;
	}
	login->events.offer(login->events.context, login);
}

/* ---- the server's answer ---- */

static void end_failure(struct login *login, const struct login_sink *sink)
{
	bool is_final = true;

	for (size_t i = 0; i < LENGTH(of_mechanism); i++) {
		is_final &= strcmp(login->condition, of_mechanism[i]) != 0;
	}
	login->is_challenged = false;
	login->events.refused(login->events.context, login->condition);
	const char *name = is_final ? "final-failure" : "failure";
	tell(login, sink, name, NULL);
	if (login->condition[0] != '\0') {
		tell(login, sink, login->condition, "");
	}
	tell_end(login, sink, name);
}

/* libstrophe does not read a later challenge of DIGEST-MD5. SCRAM has only one, and PLAIN none. */
static bool can_answer(const struct login *login)
{
	if (!login->has_digest || login->events.uses_scram(login->events.context)) {
		return !login->is_challenged && challenge_is_of_scram(login->challenge);
	}
	return login->is_challenged ? strlen(login->challenge) <= CHALLENGE_MAX
				    : challenge_is_of_digest(login->challenge);
}

static void end_challenge(struct login *login, const struct login_sink *sink)
{
	if (can_answer(login)) {
		login->is_challenged = true;
		tell(login, sink, "challenge", login->challenge);
	} else {
		login->events.misshapen(login->events.context);
		tell(login, sink, "final-failure", "");
		login->is_dropping = true;
	}
}

/* ---- events of expat ---- */

static enum login_element element_of(const struct login *login, const char *name)
{
	if (is_named(name, NS_STREAMS, "features")) {
		return LOGIN_FEATURES;
	}
	if (is_named(name, NS_TLS, "proceed") && login->requires_tls &&
	    !login->events.is_secured(login->events.context)) {
		return LOGIN_PROCEED;
	}
	if (login->has_offered && is_named(name, NS_SASL, "failure")) {
		return LOGIN_FAILURE;
	}
	if (login->has_offered && is_named(name, NS_SASL, "success")) {
		return LOGIN_SUCCESS;
	}
	if (login->has_offered && is_named(name, NS_SASL, "challenge")) {
		return LOGIN_CHALLENGE;
	}
	return LOGIN_OTHER;
}

/* A child of the stream. The features' name shows the separator behind a namespace. */
static void begin_element(struct login *login, const char *name)
{
	login->element = element_of(login, name);
	login->condition[0] = '\0';
	login->challenge[0] = '\0';
	if (login->element == LOGIN_FEATURES) {
		login->separator = name[sizeof(NS_STREAMS) - 1];
		login->offered[0] = '\0';
		login->mechanisms = 0;
		login->has_bind = false;
		login->lists_bindings = false;
		login->has_exporter = false;
		login->has_unique = false;
	}
}

/* A child of such a child. Whether libstrophe may get it. */
static bool begin_child(struct login *login, const char *name)
{
	if (login->element == LOGIN_FEATURES) {
		login->in_mechanisms = is_named(name, NS_SASL, "mechanisms");
		login->in_bindings = is_named(name, NS_BINDING, "sasl-channel-binding");
		login->lists_bindings |= login->in_bindings;
		login->has_bind |= is_named(name, NS_BIND, "bind");
		return !login->in_mechanisms;
	}
	if (login->element == LOGIN_FAILURE) {
		const char *local = local_name(name, NS_SASL);
		if (local != NULL && strcmp(local, "text") != 0 && login->condition[0] == '\0') {
			add_text(login->condition, sizeof(login->condition), local, strlen(local));
		}
		return false;
	}
	return login->element != LOGIN_CHALLENGE;
}

/* Whether libstrophe gets the element, and what is in it, only at its end. */
static bool is_withheld(const struct login *login)
{
	return login->element == LOGIN_FAILURE || login->element == LOGIN_CHALLENGE;
}

void login_start(struct login *login, const struct login_sink *sink, const char *name,
		 const char **attributes)
{
	bool is_given = true;

	login->depth++;
	if (login->is_dropping) {
		return;
	}
	note_element(login, name);
	if (!login->is_over) {
		switch (login->depth) {
		case 1:
			break;
		case 2:
			begin_element(login, name);
			is_given = !is_withheld(login);
			break;
		case 3:
			is_given = begin_child(login, name);
			break;
		default:
			if (login->in_bindings && login->depth == 4) {
				take_binding(login, attributes);
			}
			login->text[0] = '\0';
			is_given = !login->in_mechanisms && !is_withheld(login);
			break;
		}
	}
	if (is_given) {
		sink->start(sink->context, name, attributes);
	}
}

/* Of a child of the stream. */
static void end_element(struct login *login, const struct login_sink *sink, const char *name)
{
	enum login_element element = login->element;

	login->element = LOGIN_OTHER;
	switch (element) {
	case LOGIN_FAILURE:
		end_failure(login, sink);
		return;
	case LOGIN_CHALLENGE:
		end_challenge(login, sink);
		return;
	case LOGIN_FEATURES:
		if (!login->is_successful) {
			end_features(login, sink);
		} else if (login->has_bind) {
			login->is_over = true;
		} else {
			login->is_dropping = true;
			login->events.unbindable(login->events.context);
			return;
		}
		break;
	case LOGIN_SUCCESS:
		login->is_successful = true;
		break;
	case LOGIN_PROCEED:
		login->is_dropping = true;
		break;
	case LOGIN_OTHER:
		break;
	}
	sink->end(sink->context, name);
}

void login_end(struct login *login, const struct login_sink *sink, const char *name)
{
	unsigned depth = login->depth;

	if (depth > 0) {
		login->depth--;
	}
	if (login->is_dropping) {
		return;
	}
	end_error(login, sink, name);
	if (login->is_over || depth < 2) {
		sink->end(sink->context, name);
		return;
	}
	if (depth == 2) {
		end_element(login, sink, name);
		return;
	}
	if (login->in_mechanisms) {
		if (depth == 4 && is_named(name, NS_SASL, "mechanism")) {
			take_mechanism(login);
		}
	} else if (!is_withheld(login)) {
		sink->end(sink->context, name);
	}
	if (depth == 3) {
		login->in_mechanisms = false;
		login->in_bindings = false;
	}
}

void login_text(struct login *login, const struct login_sink *sink, const char *text, int length)
{
	if (login->is_dropping) {
		return;
	}
	login->in_error = false;
	if (!login->is_over && login->depth > 1 && login->in_mechanisms) {
		add_text(login->text, sizeof(login->text), text, (size_t)length);
	} else if (!login->is_over && login->element == LOGIN_CHALLENGE) {
		if (login->depth == 2) {
			add_text(login->challenge, sizeof(login->challenge), text, (size_t)length);
		}
	} else if (login->is_over || login->element != LOGIN_FAILURE) {
		sink->text(sink->context, text, length);
	}
}

void login_begin(struct login *login, const struct login_events *events, bool requires_tls)
{
	memset(login, 0, sizeof(*login));
	login->events = *events;
	login->requires_tls = requires_tls;
}

void login_open(struct login *login)
{
	login->is_dropping = false;
	login->depth = 0;
	login->element = LOGIN_OTHER;
	login->in_error = false;
	login->in_mechanisms = false;
	login->in_bindings = false;
	login->has_offered = false;
	login->is_challenged = false;
}
