/* SPDX-License-Identifier: MIT */
/*
 * qxmpp_resource - QXmpp under a given resource.
 *
 * From 1.8 on it logs in by SASL2 and Bind 2 (XEP-0386) if the server supports them; the server
 * then chooses the resource.
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
