/* SPDX-License-Identifier: MIT */
/*
 * gloox - gloox to gloox: stream initiation (XEP-0096), then In-Band Bytestreams. Arguments and
 * output are described in peer.hpp.
 *
 * gloox sends without waiting for acknowledgements, but counts them.
 */
#include "../peers/gloox_tls.hpp"
#include "peer.hpp"

#include <gloox/bytestreamdatahandler.h>
#include <gloox/client.h>
#include <gloox/connectionlistener.h>
#include <gloox/connectiontcpclient.h>
#include <gloox/inbandbytestream.h>
#include <gloox/presence.h>
#include <gloox/siprofileft.h>
#include <gloox/siprofilefthandler.h>
#include <memory>
#include <unistd.h>

using namespace gloox;

class driver : public ConnectionListener, public SIProfileFTHandler, public BytestreamDataHandler
{
	const peer::arguments &arguments;
	Client client;
	std::unique_ptr<SIProfileFT> transfers;
	InBandBytestream *stream = nullptr; /* a sender's, once it is open */
	std::unique_ptr<peer::stopwatch> clock;
	peer::hash hash;
	size_t received = 0, acknowledged = 0;
	bool online = false, closed = false;

      public:
	explicit driver(const peer::arguments &a)
	    : arguments(a), client(JID(a.self.jid), a.self.password, a.port)
	{
		/* Not setServer(): the certificate is for the JID's domain. */
		client.setConnectionImpl(new ConnectionTCPClient(&client, client.logInstance(),
								 "127.0.0.1", a.port));
		client.setTls(TLSRequired);
		TLSDefault *tls = new gloox_tls(&client, client.server());
		tls->init();
		tls->setCACerts({a.cafile}); /* the client's own setCACerts() has no effect */
		client.setEncryptionImpl(tls);
		/* SCRAM-SHA-1-PLUS would be preferred, with the channel binding of TLS 1.2. */
		client.setSASLMechanisms(SaslMechPlain);
		client.disableRoster();
		client.registerConnectionListener(this);
		transfers = std::make_unique<SIProfileFT>(&client, this);
	}

	void run()
	{
		client.connect(false);
		while (!online) {
			receive();
		}
		if (arguments.sends) {
			send();
		} else {
			clock = std::make_unique<peer::stopwatch>();
			peer::ready();
			while (received < arguments.size) {
				receive();
			}
			clock->report(received, hash.hex());
			while (!closed) {
				receive(); /* the sender waits for the last acknowledgement */
			}
		}
		client.disconnect();
	}

      private:
	void receive(int timeout_us = 1000000)
	{
		ConnectionError error = client.recv(timeout_us);
		if (error != ConnNoError) {
			peer::die("gloox: connection error " + std::to_string(error));
		}
	}

	void send()
	{
		std::ifstream file = arguments.open_source();
		std::string block;
		clock = std::make_unique<peer::stopwatch>();
		transfers->requestFT(JID(arguments.other.jid), "file",
				     static_cast<long>(arguments.size), EmptyString, EmptyString,
				     EmptyString, EmptyString, SIProfileFT::FTTypeIBB);
		while (!stream) {
			receive();
		}
		size_t blocks = 0;
		while (arguments.read_block(file, block)) {
			if (!stream->send(block)) {
				peer::die("gloox: send() refuses");
			}
			blocks++;
			receive(0);
		}
		while (acknowledged < blocks) {
			receive();
		}
		clock->report(arguments.size);
		stream->close();
	}

	/* ---- ConnectionListener ---- */

	void onConnect() override
	{
		client.setPresence(Presence::Available, 0);
		online = true;
	}

	void onDisconnect(ConnectionError error) override
	{
		if (error != ConnUserDisconnected) {
			peer::die("gloox: disconnected, " + std::to_string(error));
		}
	}

	bool onTLSConnect(const CertInfo &info) override
	{
		if (info.status != CertOk) {
			peer::die("gloox: certificate status " + std::to_string(info.status));
		}
		return true;
	}

	/* ---- SIProfileFTHandler ---- */

	void handleFTRequest(const JID &from, const JID &, const std::string &sid,
			     const std::string &, long, const std::string &, const std::string &,
			     const std::string &, const std::string &, int) override
	{
		transfers->acceptFT(from, sid, SIProfileFT::FTTypeIBB);
	}

	void handleFTRequestError(const IQ &, const std::string &) override
	{
		peer::die("gloox: the offer was refused");
	}

	void handleFTBytestream(Bytestream *bytestream) override
	{
		InBandBytestream *ibb = dynamic_cast<InBandBytestream *>(bytestream);
		if (!ibb) {
			peer::die("gloox: not in band");
		}
		ibb->registerBytestreamDataHandler(this);
		ibb->setBlockSize(arguments.block);
		ibb->connect();
	}

	const std::string handleOOBRequestResult(const JID &, const JID &,
						 const std::string &) override
	{
		return EmptyString;
	}

	/* ---- BytestreamDataHandler ---- */

	void handleBytestreamData(Bytestream *, const std::string &data) override
	{
		hash.add(data.data(), data.size());
		received += data.size();
		while (arguments.stalls) {
			pause();
		}
	}

	void handleBytestreamDataAck(Bytestream *) override
	{
		acknowledged++;
	}

	void handleBytestreamError(Bytestream *, const IQ &) override
	{
		peer::die("gloox: the stream has failed");
	}

	void handleBytestreamOpen(Bytestream *bytestream) override
	{
		stream = static_cast<InBandBytestream *>(bytestream);
	}

	void handleBytestreamClose(Bytestream *) override
	{
		closed = true;
	}
};

int main(int argc, char **argv)
{
	peer::arguments arguments(argc, argv);
	driver(arguments).run();
}
