/* SPDX-License-Identifier: MIT */
/*
 * peer - the common part of the drivers of other implementations.
 *
 *     DRIVER send|receive|receive-nothing ACCOUNTS PORT CAFILE SOURCE BLOCK
 *
 * ACCOUNTS has lines "FULL_JID PASSWORD": who sends, who receives. `send` sends the file SOURCE in
 * blocks of BLOCK bytes; `receive` prints "ready" when it is online and takes as many bytes as
 * SOURCE has; `receive-nothing` (gloox only) accepts, and then reads no more. Both end with a line
 * of JSON: seconds from when the transfer was asked for to its last acknowledgement (a sender's),
 * CPU seconds in that time, peak memory and SHA-256 (a receiver's).
 */
#ifndef BENCH_PEER_HPP
#define BENCH_PEER_HPP

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <openssl/evp.h>
#include <string>
#include <sys/resource.h>

namespace peer
{

[[noreturn]] inline void die(const std::string &what)
{
	std::cerr << "peer: " << what << std::endl;
	std::exit(1);
}

struct account {
	std::string jid, password;
};

struct arguments {
	bool sends, stalls;
	account self, other;
	int port;
	std::string cafile, source;
	size_t size; /* of the source */
	int block;

	arguments(int argc, char **argv)
	{
		if (argc != 7) {
			die("usage: send|receive ACCOUNTS PORT CAFILE SOURCE BLOCK");
		}
		sends = std::string(argv[1]) == "send";
		stalls = std::string(argv[1]) == "receive-nothing";
		std::ifstream accounts(argv[2]);
		account sender, receiver;
		accounts >> sender.jid >> sender.password >> receiver.jid >> receiver.password;
		self = sends ? sender : receiver;
		other = sends ? receiver : sender;
		port = std::atoi(argv[3]);
		cafile = argv[4];
		source = argv[5];
		size = std::filesystem::file_size(source);
		block = std::atoi(argv[6]);
	}

	std::ifstream open_source() const
	{
		return std::ifstream(source, std::ios::binary);
	}

	/* False at the end. */
	bool read_block(std::ifstream &file, std::string &data) const
	{
		data.resize(static_cast<size_t>(block));
		file.read(data.data(), block);
		data.resize(static_cast<size_t>(file.gcount()));
		return !data.empty();
	}
};

class hash
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

      public:
	hash()
	{
		EVP_DigestInit_ex(context, EVP_sha256(), nullptr);
	}

	~hash()
	{
		EVP_MD_CTX_free(context);
	}

	void add(const char *data, size_t length)
	{
		EVP_DigestUpdate(context, data, length);
	}

	std::string hex()
	{
		unsigned char raw[32];
		EVP_DigestFinal_ex(context, raw, nullptr);
		std::string text;
		for (unsigned char byte : raw) {
			char digits[3];
			std::snprintf(digits, sizeof(digits), "%02x", byte);
			text += digits;
		}
		return text;
	}
};

class stopwatch
{
	std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
	double cpu_started = cpu();

	static double cpu()
	{
		rusage usage{};
		getrusage(RUSAGE_SELF, &usage);
		return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
		       1e-6 * (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
	}

	/* Not ru_maxrss: that begins with the peak of the parent process. */
	static long peak_kib()
	{
		std::ifstream status("/proc/self/status");
		std::string word;
		long kib = 0;
		while (status >> word && word != "VmHWM:") {
		}
		status >> kib;
		return kib;
	}

      public:
	void report(size_t bytes, const std::string &sha256 = "") const
	{
		std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started;
		std::printf("{\"bytes\": %zu, \"seconds\": %.6f, \"cpu_s\": %.4f, "
			    "\"rss_kib\": %ld, \"sha256\": \"%s\"}\n",
			    bytes, seconds.count(), cpu() - cpu_started, peak_kib(),
			    sha256.c_str());
		std::fflush(stdout);
	}
};

inline void ready()
{
	std::puts("ready");
	std::fflush(stdout);
}

} // namespace peer

#endif
