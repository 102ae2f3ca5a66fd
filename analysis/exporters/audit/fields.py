"""Fields of tshark that say who somebody is, by how their values are judged.

ADDRESS  a MAC or IP address: public are those of groups and of nobody
NAME     a name of a host: public is one of the cloud, and one whose every word is known
WHOLE    a login, a password, a serial: none is public, but for few words
WORDS    a text: public are the words that the vocabulary knows
BYTES    in hex: none is public, and short ones are left out

Texts of HTTP, JSON and XML are not among them: every word said in plain is judged. What
another tshark does not know of these refuses a publication where the protocol occurs.
"""

ADDRESS, NAME, WHOLE, WORDS, BYTES = "address", "name", "whole", "words", "bytes"

_OF = {
    ADDRESS: """
        eth.src eth.dst arp.src.hw_mac arp.dst.hw_mac arp.src.proto_ipv4
        arp.dst.proto_ipv4 ip.src ip.dst ipv6.src ipv6.dst wlan.addr wlan.bssid
        wlan.sa wlan.da wlan.ta wlan.ra sll.src.eth icmpv6.nd.na.target_address
        icmpv6.nd.ns.target_address icmpv6.opt.linkaddr icmpv6.opt.prefix
        icmp.redir_gw dhcp.hw.mac_addr dhcp.ip.client dhcp.ip.your dhcp.ip.server
        dhcp.ip.relay dhcp.option.requested_ip_address dhcp.option.dhcp_server_id
        dhcp.option.router dhcp.option.domain_name_server
        dhcp.option.broadcast_address dhcp.option.ntp_server
        dhcp.client_hardware_address dhcp.client_id.link_layer_address
        dhcpv6.duidllt.link_layer_addr dhcpv6.duidll.link_layer_addr dhcpv6.iaaddr.ip
        dhcpv6.iaprefix.pref_addr dhcpv6.dns_server dns.a dns.aaaa nbns.addr
        nbdgm.src.ip stun.att.ipv4 stun.att.ipv6 stun.att.ipv4-xord stun.att.ipv6-xord
        classicstun.att.ipv4 classicstun.att.ipv4-xord nat-pmp.external_ip
        portcontrol.client_ip portcontrol.map.req_sug_external_ip
        portcontrol.map.rsp_assigned_ext_ip portcontrol.peer.req_sug_external_ip
        portcontrol.peer.rsp_assigned_ext_ip portcontrol.peer.remote_peer_ip
        portcontrol.option.third_party.internal_ip dns.svcb.svcparam.ipv4hint.ip
        dns.svcb.svcparam.ipv6hint.ip lldp.chassis.id.mac lldp.chassis.id.ip4
        lldp.mgn.addr.ip4 lldp.mgn.addr.ip6 lldp.port.id.mac x509ce.IPAddress.ipv4
        x509ce.IPAddress.ipv6 wol.mac btcommon.eir_ad.entry.bd_addr bluetooth.addr
        btle.advertising_address zbee_nwk.src64 wpan.src64 wpan.dst64
        stp.root.hw stp.bridge.hw mstp.cist_bridge.hw lacp.actor.sysid
        lacp.partner.sysid ieee1905.1905_al_mac_addr ieee1905.mac_addr
        ieee1905.neighbor_al_mac_addr ieee1905.local_intf.mac_address
        ieee1905.assoc_client.mac_addr ieee1905.bssid lltd.discovery.real_dest_addr
        lltd.discovery.real_src_addr lltd.hello.current_address
        lltd.hello.apparent_address lltd.host_id lltd.bssid batadv.iv_ogm.orig
        batadv.ogm2.orig batadv.elp.orig batadv.unicast.dst batadv.bcast.orig
        batadv.tt_entry.entry homeplug_av.brg_infos_cnf.mac
        homeplug_av.nw_info_cnf.cco_mac homeplug_av.nw_info_cnf.sta_info.da
        homeplug_av.cc_disc_list_cnf.sta_info.mac homeplug.ns.netw_da
        wlan.nreport.bssid wlan.fixed.current_ap
        wlan.link_id.bssid wlan.interworking.hessid wlan.hwmp.orig_sta
        wlan.hwmp.targ_sta
        wifi_p2p.device_id wifi_p2p.dev_info.p2p_dev_addr
        wifi_p2p.intended_interface_addr wifi_p2p.p2p_group_id.p2p_dev_addr
        wifi_p2p.p2p_group_bssid awdl.syncparams.master awdl.electionparams.master
        awdl.datastate.infra_bssid awdl.datastate.infra_addr eero.hw_mac mndp.mac
        ubdp.mac knxip.macaddr artnet.poll_reply.mac mactelnet.source_mac
        mactelnet.destination_mac snmp.engineid.mac
        icmpv6.opt.aro.eui64 thread_address.tlv.ext_mac_addr ip.opt.addr ip.rec_rt
        ip.empty_rt ip.src_rt ip.cur_rt ipv6.routing.src.addr igmp.saddr
        icmpv6.mld.source_address icmpv6.mldr.mar.source_address
        dns.opt.client.addr4 dns.opt.client.addr6 rip.ip rip.next_hop
        ripng.rte.ipv6_prefix
        ospf.srcrouter ospf.advrouter ospf.hello.designated_router
        ospf.hello.backup_designated_router ospf.hello.active_neighbor
        ospf.lsa.router.linkid ospf.lsa.router.linkdata vrrp.ip_addr vrrp.ipv6_addr
        hsrp.virt_ip sctp.parameter_ipv4_address sctp.parameter_ipv6_address
        teredo.orig.addr socks.dst isakmp.id.data.ipv4_addr isakmp.id.data.ipv6_addr
        isakmp.ike.nat_original_address_ipv4
    """,
    NAME: """
        dns.qry.name dns.resp.name dns.ptr.domain_name dns.cname dns.srv.target
        dns.srv.name dns.ns dns.mx.mail_exchange dns.soa.mname dns.soa.rname
        dns.naptr.replacement dns.svcb.targetname nbns.name nbns.netbios_name
        nbdgm.source_name nbdgm.destination_name tls.handshake.extensions_server_name
        http.host http2.headers.authority dhcp.option.domain_name dhcp.fqdn.name
        dhcpv6.client_domain dhcp.option.tftp_server_name dhcp.server x509ce.dNSName
        kerberos.realm coap.opt.uri_host
    """,
    WHOLE: """
        wlan.ssid wps.serial_number wps.device_name wps.new_device_name
        wps.network_key wps.ssid wps.uuid_e wps.uuid_r dhcp.option.hostname
        dhcp.client_id.undef dhcp.client_id.uuid mqtt.clientid mqtt.username
        mqtt.passwd ftp.request.arg smtp.auth.username smtp.auth.password
        smtp.auth.username_password pop.request.parameter pop.request.data
        imap.request.username imap.request.password snmp.community snmp.msgUserName
        snmp.contextName http.authbasic http.authcitrix.user http.authcitrix.password
        sip.from.user sip.to.user sip.contact.user sip.auth.username sip.r-uri.user
        sip.display.info eap.identity radius.User_Name radius.Calling_Station_Id
        radius.Called_Station_Id radius.NAS_Identifier lldp.chassis.id lldp.port.id
        lldp.tlv.system.name cdp.deviceid ntlmssp.auth.username ntlmssp.auth.hostname
        ntlmssp.auth.domain ntlmssp.challenge.target_name kerberos.CNameString
        kerberos.SNameString stun.att.username stun.att.realm syslog.hostname
        socks.username socks.password pap.peer_id pap.password chap.name smb.account
        smb2.acct smb2.host mysql.user mysql.passwd tds.login.username
        vnc.desktop_name browser.server rdp.rt_cookie frame.comment sdp.owner.username
        btcommon.eir_ad.entry.device_name btatt.device_name vrrp.auth_string
        ospf.auth.simple rip.auth.passwd ldap.name ldap.simple
        amqp.method.arguments.response
    """,
    WORDS: """
        http.authorization http.proxy_authorization http.cookie http.set_cookie
        http.referer http.request.uri http.location http.x_forwarded_for
        smtp.req.parameter imap.line imf.from imf.to imf.subject pop.response.data
        imf.display_name ftp.response.arg mqtt.topic mqtt.willtopic mqtt.willmsg
        mqtt.msg snmp.value.octets sip.contact.uri sip.from.addr sip.to.addr
        sip.Call-ID rtsp.url rtsp.request sdp.session_name sdp.owner.address
        rtcp.sdes.text dns.txt dns.hinfo.os dhcp.option.vendor_class_id
        dhcp.option.root_path dhcpv6.vendorclass.data dhcp.file
        dhcp.option.value.string dhcp.option.vendor.value.string lldp.tlv.system.desc
        lldp.port.desc cdp.software_version cdp.platform cdp.portid x509sat.uTF8String
        x509sat.printableString x509sat.teletexString x509sat.IA5String
        x509ce.rfc822Name syslog.msg tftp.source_file tftp.destination_file smb.path
        smb2.tree smb2.filename coap.opt.uri_path coap.opt.uri_query browser.comment
        websocket.payload.text pgsql.parameter_value gsm_sms.sms_text wps.model_name
        wps.model_number
    """,
    BYTES: """
        dhcp.client_id dhcpv6.duid.bytes dhcpv6.duiden.identifier
        dhcpv6.duiduuid.bytes snmp.engineid.data wol.passwd lldp.mgn.obj.id
        x509af.serialNumber
    """,
}
FIELDS = {name: judged for judged, names in _OF.items() for name in names.split()}
CREDENTIALS = (  # whose values tell even when they are usual words
    *("pass", "community", "authbasic", "network_key", "auth_string", "simple"),
    *("ssid", "clientid"),
)
PUBLIC_WHOLE = frozenset(  # what everybody is called
    {
        *("anonymous", "guest", "admin", "administrator", "root", "user", "public"),
        *("private", "localhost", "none", "null", "unknown", "default", "test", "any"),
        *("workgroup", "*", "-", "<missing>", "<root>"),
    }
)
