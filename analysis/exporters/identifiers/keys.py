"""Names of fields that hold identifiers: in JSON, XML, forms, cookies, DNS-SD."""

import re

_BARE = re.compile(r"[^a-z0-9]")
_KINDS = {
    "mac": "mac macaddress macaddr ethernetmac wifimac wlanmac mic_mac btmac bssid "
    "hwaddr etheraddr stamac apmac chaddr lladdr bluetoothmac",
    "serial": "serialnumber serial serialno serialnum sn devicesn deviceserial "
    "deviceid devid device_id gwid hwid hubid hubserial boxid chipid imei imsi iccid "
    "eui64 nodeid clientid machineid hardwareid dsn cameraid plugid homeid",
    "uuid": "uuid udn usn deviceuuid guid installationid installid androidid idfa "
    "advertisingid hap_id pi",
    "ssid": "ssid essid wifissid apssid wifiname networkname connectedssid",
    "hostname": "hostname computername netbiosname localname dhcphostname",
    "person": "alias friendlyname nickname devicename fullname firstname "
    "lastname ownername displayname username_full room roomname customname givenname "
    "familyname surname realname",
    "account": "username login account accountid userid uid user loginname loginid "
    "customerid memberid ownerid personid phonenumber mobile msisdn accountname "
    "customername",
    "email": "email mail emailaddress e_mail useremail contact",
    "secret": "password passwd pwd pass passphrase secret psk wpakey wifikey "
    "wifipassword presharedkey clientsecret pin setupcode pairingcode localkey "
    "privatekey networkkey wifipass",
    "token": "token accesstoken refreshtoken idtoken authtoken sessionid session sid "
    "sessiontoken apikey appkey auth authkey jwt jsessionid phpsessid csrftoken "
    "accesskey pushtoken devicetoken ticket nonce_key credential sessionkey xsrftoken",
    "place": "latitude lat longitude lon lng latitudei longitudei geo location gps "
    "coordinates coords latlng latlon ll position street postaladdress homeaddress "
    "postcode zipcode",
}
_KIND_OF = {
    _BARE.sub("", name.lower()): kind
    for kind, names in _KINDS.items()
    for name in names.split()
}


def kind_of(key: str) -> str:
    """Return the kind that a field of this name holds, '' for none."""
    bare = _BARE.sub("", key.lower())
    if bare in _KIND_OF:
        return _KIND_OF[bare]
    for end, kind in (
        ("password", "secret"),
        ("secret", "secret"),
        ("token", "token"),
        ("serialnumber", "serial"),
        ("macaddress", "mac"),
        ("uuid", "uuid"),
        ("ssid", "ssid"),
    ):
        if bare.endswith(end):
            return kind
    return ""
