/* SPDX-License-Identifier: MIT */
/*
 * purple - libpurple's file transfer, as Pidgin and Finch have it: stream initiation (XEP-0096),
 * which offers SOCKS5, too. See peer.h.
 *
 * It sends 3070 bytes a block, one at a time, and never answers <close/>. Its settings go to the
 * folder in which it is started.
 */
#include "peer.h"

#include <purple.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static PurpleAccount *account;
static PurpleXfer *current; /* the latest; NULL when it has ended */
static bool cancelled;

/* ---- commands ---- */

/* A file that is offered as soon as libpurple knows that the peer can receive one. */
static struct {
	char *jid, *path;
	int tries;
} wanted;

static gboolean try_to_send(void *unused)
{
	(void)unused;
	PurpleConnection *connection = purple_account_get_connection(account);
	PurplePlugin *xmpp = purple_connection_get_prpl(connection);
	if (PURPLE_PLUGIN_PROTOCOL_INFO(xmpp)->can_receive_file(connection, wanted.jid)) {
		serv_send_file(connection, wanted.jid, wanted.path);
	} else if (--wanted.tries > 0) {
		return G_SOURCE_CONTINUE;
	} else {
		peer_tell("failed %s takes no files", wanted.jid);
	}
	g_free(wanted.jid);
	g_free(wanted.path);
	return G_SOURCE_REMOVE;
}

/* libpurple queries the features of every resource that comes online, and has no event for the
 * answer. */
static void send_file(const char *jid, const char *path)
{
	current = NULL; /* the new one is known only after it was added */
	cancelled = false;
	wanted.jid = g_strdup(jid);
	wanted.path = g_strdup(path);
	wanted.tries = 200;
	if (try_to_send(NULL)) {
		g_timeout_add(50, try_to_send, NULL);
	}
}

static void accept_offer(const char *path)
{
	purple_xfer_request_accepted(current, path);
}

static void refuse_offer(void)
{
	purple_xfer_request_denied(current);
	current = NULL;
}

static void cancel(void)
{
	if (current) {
		cancelled = true;
		purple_xfer_cancel_local(current);
	}
}

/* ---- what libpurple tells of transfers ---- */

static void offer_came(PurpleXfer *xfer, void *data)
{
	(void)data;
	current = xfer;
	cancelled = false;
	peer_offered(purple_xfer_get_remote_user(xfer), (long long)purple_xfer_get_size(xfer),
		     purple_xfer_get_filename(xfer));
}

static void transfer_added(PurpleXfer *xfer)
{
	current = xfer;
}

static void transfer_started(PurpleXfer *xfer, void *data)
{
	(void)data;
	if (xfer == current) {
		peer_tell("started");
	}
}

static void sending_completed(PurpleXfer *xfer, void *data)
{
	(void)data;
	if (xfer == current) {
		current = NULL;
		peer_tell("sent");
	}
}

static gboolean tell_received(void *path)
{
	peer_tell("received %s", (const char *)path);
	g_free(path);
	return G_SOURCE_REMOVE;
}

/* The file is closed only after this. */
static void receiving_completed(PurpleXfer *xfer, void *data)
{
	(void)data;
	if (xfer == current) {
		current = NULL;
		g_idle_add(tell_received, g_strdup(purple_xfer_get_local_filename(xfer)));
	}
}

static void transfer_cancelled(PurpleXfer *xfer, void *data)
{
	(void)data;
	if (xfer != current) {
		return;
	}
	current = NULL;
	bool by_other = purple_xfer_get_status(xfer) == PURPLE_XFER_STATUS_CANCEL_REMOTE;
	if (cancelled) {
		peer_tell("cancelled");
	} else if (by_other && purple_xfer_get_type(xfer) == PURPLE_XFER_SEND &&
		   purple_xfer_get_start_time(xfer) == 0) {
		peer_tell("refused");
	} else {
		peer_tell("failed cancelled %s", by_other ? "remotely" : "locally");
	}
}

/* ---- the connection ---- */

static void signed_on(PurpleConnection *connection, void *data)
{
	(void)data;
	PurpleAccount *of = purple_connection_get_account(connection);
	peer_tell("ready %s", purple_account_get_username(of));
}

static void connection_failed(PurpleConnection *connection, PurpleConnectionError error,
			      const char *why, void *data)
{
	(void)connection;
	(void)data;
	peer_die("connection error %d: %s", error, why);
}

static void trust(const char *cafile)
{
	PurpleCertificateScheme *x509 = purple_certificate_find_scheme("x509");
	PurpleCertificatePool *authorities = purple_certificate_find_pool("x509", "ca");
	PurpleCertificate *authority = x509 ? purple_certificate_import(x509, cafile) : NULL;
	if (!authority || !purple_certificate_pool_store(authorities, "test", authority)) {
		peer_die("no TLS, or not with %s", cafile);
	}
}

static void connect_account(const struct peer_arguments *arguments)
{
	account = purple_account_new(arguments->jid, "prpl-jabber");
	purple_account_set_password(account, arguments->password);
	purple_account_set_string(account, "connect_server", arguments->host);
	purple_account_set_int(account, "port", arguments->port);
	purple_account_set_string(account, "connection_security", "require_tls");
	purple_accounts_add(account);
	purple_account_set_enabled(account, "peer", TRUE);
	PurpleSavedStatus *status = purple_savedstatus_new(NULL, PURPLE_STATUS_AVAILABLE);
	purple_savedstatus_activate(status);
}

/* ---- GLib's loop, for libpurple ---- */

struct watch {
	PurpleInputFunction function;
	void *data;
};

static gboolean input_ready(GIOChannel *channel, GIOCondition condition, void *data)
{
	struct watch *watch = data;
	int ready = 0;
	if (condition & (G_IO_IN | G_IO_HUP | G_IO_ERR)) {
		ready |= PURPLE_INPUT_READ;
	}
	if (condition & (G_IO_OUT | G_IO_HUP | G_IO_ERR)) {
		ready |= PURPLE_INPUT_WRITE;
	}
	watch->function(watch->data, g_io_channel_unix_get_fd(channel),
			(PurpleInputCondition)ready);
	return G_SOURCE_CONTINUE;
}

static guint add_input(int fd, PurpleInputCondition condition, PurpleInputFunction function,
		       void *data)
{
	struct watch *watch = g_new(struct watch, 1);
	*watch = (struct watch){function, data};
	int events = G_IO_HUP | G_IO_ERR;
	if (condition & PURPLE_INPUT_READ) {
		events |= G_IO_IN;
	}
	if (condition & PURPLE_INPUT_WRITE) {
		events |= G_IO_OUT;
	}
	GIOChannel *channel = g_io_channel_unix_new(fd);
	guint id = g_io_add_watch_full(channel, G_PRIORITY_DEFAULT, (GIOCondition)events,
				       input_ready, watch, g_free);
	g_io_channel_unref(channel);
	return id;
}

static gboolean commands_came(GIOChannel *channel, GIOCondition condition, void *data)
{
	(void)channel;
	(void)condition;
	if (!peer_read()) {
		g_main_loop_quit(data);
	}
	return G_SOURCE_CONTINUE;
}

/* ---- */

static void start_libpurple(void)
{
	static PurpleEventLoopUiOps loop = {
		.timeout_add = g_timeout_add,
		.timeout_remove = g_source_remove,
		.timeout_add_seconds = g_timeout_add_seconds,
		.input_add = add_input,
		.input_remove = g_source_remove,
	};
	static PurpleXferUiOps transfers = {.add_xfer = transfer_added};
	char *here = g_get_current_dir();
	purple_util_set_user_dir(here); /* instead of ~/.purple */
	g_free(here);
	purple_eventloop_set_ui_ops(&loop);
	purple_xfers_set_ui_ops(&transfers);
	signal(SIGCHLD, SIG_IGN); /* libpurple does not wait for its look-up processes */
	if (!purple_core_init("peer")) {
		peer_die("libpurple does not start");
	}
	purple_set_blist(purple_blist_new());
}

static void listen_for(void *instance, const char *event, PurpleCallback callback)
{
	static int handle;
	purple_signal_connect(instance, event, &handle, callback, NULL);
}

int main(int argc, char **argv)
{
	static const struct peer_library library = {
		.send = send_file,
		.accept = accept_offer,
		.refuse = refuse_offer,
		.cancel = cancel,
	};
	struct peer_arguments arguments = peer_start(argc, argv, &library);
	start_libpurple();
	trust(arguments.cafile);

	void *transfers = purple_xfers_get_handle();
	listen_for(transfers, "file-recv-request", PURPLE_CALLBACK(offer_came));
	listen_for(transfers, "file-recv-start", PURPLE_CALLBACK(transfer_started));
	listen_for(transfers, "file-send-start", PURPLE_CALLBACK(transfer_started));
	listen_for(transfers, "file-recv-complete", PURPLE_CALLBACK(receiving_completed));
	listen_for(transfers, "file-send-complete", PURPLE_CALLBACK(sending_completed));
	listen_for(transfers, "file-recv-cancel", PURPLE_CALLBACK(transfer_cancelled));
	listen_for(transfers, "file-send-cancel", PURPLE_CALLBACK(transfer_cancelled));
	void *connections = purple_connections_get_handle();
	listen_for(connections, "signed-on", PURPLE_CALLBACK(signed_on));
	listen_for(connections, "connection-error", PURPLE_CALLBACK(connection_failed));
	connect_account(&arguments);

	GMainLoop *loop = g_main_loop_new(NULL, FALSE);
	GIOChannel *commands = g_io_channel_unix_new(STDIN_FILENO);
	g_io_add_watch(commands, G_IO_IN | G_IO_HUP, commands_came, loop);
	g_main_loop_run(loop);
	_Exit(0);
}
