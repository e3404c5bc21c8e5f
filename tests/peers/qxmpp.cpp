/* SPDX-License-Identifier: MIT */
/*
 * qxmpp - QXmpp's file transfer: stream initiation (XEP-0096), in band only. See peer.h.
 *
 * It sends the MD5 of a file, and checks that of a received one. It sends one block at a time, and
 * accepts none longer than 4096 bytes.
 */
#include "peer.h"
#include "qxmpp_resource.hpp"

#include <cstdlib>
#include <QCoreApplication>
#include <QFile>
#include <QPointer>
#include <QSocketNotifier>
#include <QSslCertificate>
#include <QXmppClient.h>
#include <QXmppConfiguration.h>
#include <QXmppTransferManager.h>
#include <unistd.h>

static QXmppTransferManager *transfers;
static QPointer<QXmppTransferJob> job; /* the latest */
static QFile *received;		       /* its file, if we receive it */
static bool cancelled;

static void tell_end()
{
	bool incoming = job->direction() == QXmppTransferJob::IncomingDirection;
	if (job->error() == QXmppTransferJob::NoError) {
		if (incoming) {
			received->close(); /* the job itself would close it later */
			peer_tell("received %s", qUtf8Printable(received->fileName()));
		} else {
			peer_tell("sent");
		}
	} else if (cancelled) {
		peer_tell("cancelled");
	} else if (!incoming && job->method() == QXmppTransferJob::NoMethod) {
		peer_tell("refused");
	} else {
		peer_tell("failed transfer error %d", job->error());
	}
}

/* Events of an older job are ignored. */
static void watch(QXmppTransferJob *watched)
{
	cancelled = false;
	QObject::connect(watched, &QXmppTransferJob::stateChanged,
			 [watched](QXmppTransferJob::State state) {
				 if (watched == job && state == QXmppTransferJob::TransferState) {
					 peer_tell("started");
				 }
			 });
	QObject::connect(watched, &QXmppTransferJob::finished, [watched] {
		if (watched == job) {
			tell_end();
		}
		watched->deleteLater();
	});
}

static void send_file(const char *jid, const char *path)
{
	job = transfers->sendFile(QString::fromUtf8(jid), QString::fromUtf8(path));
	watch(job);
}

static void accept_offer(const char *path)
{
	watch(job);
	received = new QFile(QString::fromUtf8(path), job);
	received->open(QIODevice::WriteOnly);
	job->accept(received);
}

static void refuse_offer()
{
	job->abort();
}

static void cancel()
{
	if (job) {
		cancelled = true;
		job->abort();
	}
}

int main(int argc, char **argv)
{
	static const peer_library library = {send_file, accept_offer, refuse_offer, cancel};
	peer_arguments arguments = peer_start(argc, argv, &library);
	QCoreApplication application(argc, argv);

	QXmppConfiguration configuration;
	configuration.setJid(arguments.jid);
	configuration.setPassword(arguments.password);
	configuration.setHost(arguments.host);
	configuration.setPort(arguments.port);
	configuration.setStreamSecurityMode(QXmppConfiguration::TLSRequired);
	configuration.setCaCertificates(QSslCertificate::fromPath(arguments.cafile));
	configuration.setAutoReconnectionEnabled(false);
	qxmpp_keep_resource(configuration);

	QXmppClient client;
	transfers = new QXmppTransferManager; /* the client's from here on */
	transfers->setSupportedMethods(QXmppTransferJob::InBandMethod);
	client.addExtension(transfers);
	QObject::connect(
		transfers, &QXmppTransferManager::fileReceived, [](QXmppTransferJob *offer) {
			job = offer;
			/* QXmpp takes a missing size for 0. */
			peer_offered(qUtf8Printable(offer->jid()), offer->fileInfo().size(),
				     qUtf8Printable(offer->fileInfo().name()));
		});
	QObject::connect(&client, &QXmppClient::connected, [&client] {
		peer_tell("ready %s", qUtf8Printable(client.configuration().jid()));
	});
	QObject::connect(&client, &QXmppClient::disconnected, [] { peer_die("disconnected"); });
	QSocketNotifier commands(STDIN_FILENO, QSocketNotifier::Read);
	QObject::connect(&commands, &QSocketNotifier::activated, [] {
		if (!peer_read()) {
			std::_Exit(0); /* members on this stack are not Qt's to delete */
		}
	});
	client.connectToServer(configuration);
	return QCoreApplication::exec();
}
