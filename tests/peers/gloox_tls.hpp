/* SPDX-License-Identifier: MIT */
/*
 * gloox_tls - gloox's TLS, given one record at a time.
 *
 * gloox lets GnuTLS read until an error. GnuTLS reports a session ticket of TLS 1.3 as an error
 * (GNUTLS_E_AGAIN). Bytes that arrived together with the ticket would then be unread until the
 * server sends more, but the server waits for us.
 */
#ifndef PEERS_GLOOX_TLS_HPP
#define PEERS_GLOOX_TLS_HPP

#include <gloox/tlsdefault.h>
#include <string>

class gloox_tls : public gloox::TLSDefault
{
	std::string input; /* the beginning of a record */

      public:
	using TLSDefault::TLSDefault;

	int decrypt(const std::string &data) override
	{
		/* RFC 8446 section 5.1: type, version in two bytes, length in two. */
		static const size_t HEADER = 5;
		int sum = 0;
		input += data;
		while (input.size() >= HEADER) {
			size_t length = HEADER + static_cast<unsigned char>(input[3]) * 256 +
					static_cast<unsigned char>(input[4]);
			if (input.size() < length) {
				break;
			}
			std::string record = input.substr(0, length);
			input.erase(0, length); /* first: the handler may call this again */
			sum += TLSDefault::decrypt(record);
		}
		return sum;
	}
};

#endif
