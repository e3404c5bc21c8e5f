/* SPDX-License-Identifier: MIT */
/*
 * qxmpp - QXmpp to QXmpp: its file transfer, in band only. Arguments and output are described in
 * peer.hpp; blocks always have 4096 bytes.
 */
#include "../peers/qxmpp_resource.hpp"
#include "peer.hpp"

#include <memory>
#include <QCoreApplication>
#include <QFile>
#include <QSslCertificate>
#include <QXmppClient.h>
#include <QXmppConfiguration.h>
#include <QXmppTransferManager.h>

/* The sink for received bytes. */
class sink : public QIODevice
{
      public:
	peer::hash hash;
	size_t received = 0;

	sink()
	{
		open(QIODevice::WriteOnly);
	}

      protected:
	qint64 readData(char *, qint64) override
	{
		return -1;
	}

	qint64 writeData(const char *data, qint64 length) override
	{
		hash.add(data, static_cast<size_t>(length));
		received += static_cast<size_t>(length);
		return length;
	}
};

static bool done;

static void finish(QXmppClient &client)
{
	done = true;
	client.disconnectFromServer();
}

static void send(QXmppClient &client, QXmppTransferManager &transfers,
		 const peer::arguments &arguments)
{
	static QFile file(QString::fromStdString(arguments.source));
	file.open(QIODevice::ReadOnly);
	QXmppTransferFileInfo info;
	info.setName(QStringLiteral("file"));
	info.setSize(file.size());
	static peer::stopwatch clock;
	QXmppTransferJob *job =
		transfers.sendFile(QString::fromStdString(arguments.other.jid), &file, info);
	QObject::connect(job, &QXmppTransferJob::finished, [job, &client, &arguments] {
		if (job->error() != QXmppTransferJob::NoError) {
			peer::die("QXmpp: transfer error " + std::to_string(job->error()));
		}
		clock.report(arguments.size);
		finish(client);
	});
}

static void receive(QXmppClient &client, QXmppTransferManager &transfers)
{
	static sink sink;
	static std::unique_ptr<peer::stopwatch> clock = std::make_unique<peer::stopwatch>();
	QObject::connect(&transfers, &QXmppTransferManager::fileReceived,
			 [&client](QXmppTransferJob *job) {
				 QObject::connect(job, &QXmppTransferJob::finished, [job, &client] {
					 if (job->error() != QXmppTransferJob::NoError) {
						 peer::die("QXmpp: transfer error " +
							   std::to_string(job->error()));
					 }
					 clock->report(sink.received, sink.hash.hex());
					 finish(client);
				 });
				 job->accept(&sink);
			 });
	peer::ready();
}

int main(int argc, char **argv)
{
	QCoreApplication application(argc, argv);
	peer::arguments arguments(argc, argv);
	QXmppConfiguration configuration;
	configuration.setJid(QString::fromStdString(arguments.self.jid));
	configuration.setPassword(QString::fromStdString(arguments.self.password));
	configuration.setHost(QStringLiteral("127.0.0.1"));
	configuration.setPort(arguments.port);
	configuration.setStreamSecurityMode(QXmppConfiguration::TLSRequired);
	configuration.setCaCertificates(
		QSslCertificate::fromPath(QString::fromStdString(arguments.cafile)));
	configuration.setAutoReconnectionEnabled(false);
	qxmpp_keep_resource(configuration);

	QXmppClient client;
	QXmppTransferManager transfers;
	transfers.setSupportedMethods(QXmppTransferJob::InBandMethod);
	client.addExtension(&transfers);
	QObject::connect(&client, &QXmppClient::connected, [&] {
		if (arguments.sends) {
			send(client, transfers, arguments);
		} else {
			receive(client, transfers);
		}
	});
	QObject::connect(&client, &QXmppClient::disconnected, [] {
		if (!done) {
			peer::die("QXmpp: disconnected");
		}
		QCoreApplication::quit();
	});
	client.connectToServer(configuration);
	int status = QCoreApplication::exec();
	std::fflush(stdout);
	std::_Exit(status); /* members on this stack are not Qt's to delete */
}
