/* SPDX-License-Identifier: MIT */
/*
 * gloox - gloox's file transfer: stream initiation (XEP-0096), in band only. See peer.h.
 *
 * It does not wait for acknowledgements: this driver keeps up to WINDOW blocks in flight. It cannot
 * offer an empty file.
 */
#include "gloox_tls.hpp"
#include "peer.h"

#include <fstream>
#include <gloox/bytestreamdatahandler.h>
#include <gloox/client.h>
#include <gloox/connectionlistener.h>
#include <gloox/connectiontcpclient.h>
#include <gloox/inbandbytestream.h>
#include <gloox/presence.h>
#include <gloox/siprofileft.h>
#include <gloox/siprofilefthandler.h>
#include <memory>
#include <poll.h>
#include <unistd.h>

using namespace gloox;

static const size_t WINDOW = 8, BLOCK = 4096;

/* The latest. */
struct transfer {
	bool incoming;
	JID other;
	std::string sid, path;
	long size;
	std::fstream file;
	Bytestream *stream = nullptr; /* once it was agreed upon */
	bool running = false;	      /* it is open at both ends */
	long received = 0;	      /* bytes */
	size_t in_flight = 0;	      /* blocks in flight */
};

class driver : public ConnectionListener, public SIProfileFTHandler, public BytestreamDataHandler
{
	Client client;
	ConnectionTCPClient *connection; /* the client's */
	SIProfileFT transfers;
	std::unique_ptr<transfer> current;
	Bytestream *ended = nullptr; /* to be disposed of */

      public:
	explicit driver(const peer_arguments &arguments)
	    : client(JID(arguments.jid), arguments.password, arguments.port),
	      connection(new ConnectionTCPClient(&client, client.logInstance(), arguments.host,
						 arguments.port)),
	      transfers(&client, this)
	{
		/* Not setServer(): the certificate is for the JID's domain. */
		client.setConnectionImpl(connection);
		client.setTls(TLSRequired);
		TLSDefault *tls = new gloox_tls(&client, client.server());
		tls->init();
		tls->setCACerts({arguments.cafile}); /* the client's own has no effect */
		client.setEncryptionImpl(tls);
		/* SCRAM-SHA-1-PLUS would be preferred, with the channel binding of TLS 1.2. */
		client.setSASLMechanisms(SaslMechPlain);
		client.disableRoster();
		client.registerConnectionListener(this);
	}

	void run()
	{
		if (!client.connect(false)) {
			peer_die("cannot connect");
		}
		for (;;) {
			/* Here, because a handler must not write or dispose of a stream. */
			send_blocks();
			dispose();
			pollfd inputs[] = {{STDIN_FILENO, POLLIN, 0},
					   {connection->socket(), POLLIN, 0}};
			poll(inputs, 2, -1);
			if (inputs[0].revents && !peer_read()) {
				return;
			}
			if (inputs[1].revents) {
				client.recv(0);
			}
		}
	}

	/* ---- commands ---- */

	void send_file(const char *jid, const std::string &path)
	{
		std::fstream file(path, std::ios::in | std::ios::binary | std::ios::ate);
		long size = file.tellg();
		file.seekg(0);
		std::string name = path.substr(path.rfind('/') + 1);
		std::string sid =
			transfers.requestFT(JID(jid), name, size, EmptyString, EmptyString,
					    EmptyString, EmptyString, SIProfileFT::FTTypeIBB);
		current.reset(new transfer{false, JID(jid), sid, path, size, std::move(file)});
		if (sid.empty()) {
			end("failed gloox does not offer that");
		}
	}

	void accept_offer(const char *path)
	{
		current->path = path;
		current->file.open(path, std::ios::out | std::ios::binary);
		transfers.acceptFT(current->other, current->sid, SIProfileFT::FTTypeIBB);
	}

	void refuse_offer()
	{
		transfers.declineFT(current->other, current->sid, SIManager::RequestRejected);
		current.reset();
	}

	void cancel()
	{
		if (current) {
			end("cancelled");
		}
	}

      private:
	void end(const std::string &event)
	{
		ended = current->stream;
		current.reset();
		peer_tell("%s", event.c_str());
	}

	void dispose()
	{
		if (ended) {
			transfers.dispose(ended); /* closes it, if it is open */
			ended = nullptr;
		}
	}

	void send_blocks()
	{
		if (!current || current->incoming || !current->running) {
			return;
		}
		while (current->in_flight < WINDOW && current->file.peek() != EOF) {
			std::string block(BLOCK, 0);
			current->file.read(block.data(), BLOCK);
			block.resize(current->file.gcount());
			current->stream->send(block);
			current->in_flight++;
		}
		if (current->in_flight == 0) {
			end("sent");
		}
	}

	/* ---- ConnectionListener ---- */

	void onConnect() override
	{
		client.setPresence(Presence::Available, 0);
		peer_tell("ready %s", client.jid().full().c_str());
	}

	void onDisconnect(ConnectionError error) override
	{
		peer_die("disconnected, error %d", error);
	}

	bool onTLSConnect(const CertInfo &info) override
	{
		return info.status == CertOk;
	}

	/* ---- SIProfileFTHandler ---- */

	void handleFTRequest(const JID &from, const JID &, const std::string &sid,
			     const std::string &name, long size, const std::string &,
			     const std::string &, const std::string &, const std::string &,
			     int) override
	{
		current.reset(new transfer{true, from, sid, name, size, std::fstream()});
		peer_offered(from.full().c_str(), size, name.c_str());
	}

	void handleFTRequestError(const IQ &, const std::string &sid) override
	{
		if (current && sid == current->sid) {
			end("refused");
		}
	}

	void handleFTBytestream(Bytestream *stream) override
	{
		if (!current || stream->sid() != current->sid) {
			return;
		}
		current->stream = stream;
		stream->registerBytestreamDataHandler(this);
		stream->connect();
	}

	const std::string handleOOBRequestResult(const JID &, const JID &,
						 const std::string &) override
	{
		return EmptyString;
	}

	/* ---- BytestreamDataHandler ---- */

	bool is_current(const Bytestream *stream) const
	{
		return current && current->stream == stream;
	}

	void handleBytestreamOpen(Bytestream *stream) override
	{
		if (is_current(stream)) {
			current->running = true;
			peer_tell("started");
		}
	}

	void handleBytestreamData(Bytestream *stream, const std::string &data) override
	{
		if (is_current(stream)) {
			current->file << data;
			current->received += static_cast<long>(data.size());
		}
	}

	void handleBytestreamDataAck(Bytestream *stream) override
	{
		if (is_current(stream)) {
			current->in_flight--;
		}
	}

	/* The peer, or an error, has closed it. */
	void handleBytestreamClose(Bytestream *stream) override
	{
		if (!is_current(stream)) {
			return;
		}
		current->file.close();
		if (current->incoming && current->received == current->size) {
			end("received " + current->path);
		} else {
			end("failed closed too early");
		}
	}

	void handleBytestreamError(Bytestream *stream, const IQ &) override
	{
		if (is_current(stream)) {
			end("failed the stream has an error");
		}
	}
};

static driver *self; /* the receiver of the commands */

int main(int argc, char **argv)
{
	static const peer_library library = {
		[](const char *jid, const char *path) { self->send_file(jid, path); },
		[](const char *path) { self->accept_offer(path); },
		[] { self->refuse_offer(); },
		[] { self->cancel(); },
	};
	driver driver(peer_start(argc, argv, &library));
	self = &driver;
	driver.run();
	std::_Exit(0);
}
