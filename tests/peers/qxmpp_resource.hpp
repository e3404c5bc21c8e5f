/* SPDX-License-Identifier: MIT */
/*
 * qxmpp_resource - QXmpp under the resource that it is told to have.
 *
 * From 1.8 on it logs in by SASL2 and Bind 2 (XEP-0386) where the server can; there the server
 * chooses the resource.
 */
#ifndef PEERS_QXMPP_RESOURCE_HPP
#define PEERS_QXMPP_RESOURCE_HPP

#include <QXmppConfiguration.h>
#include <QXmppGlobal.h>

inline void qxmpp_keep_resource(QXmppConfiguration &configuration)
{
#if QXMPP_VERSION >= QT_VERSION_CHECK(1, 8, 0)
	configuration.setUseSasl2Authentication(false);
#else
	(void)configuration;
#endif
}

#endif
