"""Names of fields that hold identifiers: in JSON, XML, forms, cookies, DNS-SD."""

import re
from functools import lru_cache

_BARE = re.compile(r"[^a-z0-9]")
# 'called' is judged by what it says, 'address' counts where it is one, 'key' where it
# was drawn at random
_KINDS = {
    "mac": "mac macaddress macaddr ethernetmac wifimac wlanmac mic_mac btmac bssid "
    "hwaddr etheraddr stamac apmac chaddr lladdr bluetoothmac mac_addr wanmac lanmac "
    "hwaddress physaddress ethaddr",
    "serial": "serialnumber serial serialno serialnum sn devicesn deviceserial "
    "deviceid devid device_id gwid hwid hubid hubserial boxid chipid imei imsi iccid "
    "eui64 nodeid clientid machineid hardwareid dsn cameraid plugid homeid bridgeid "
    "meterid vin assettag hostint host_id endpoint ep household householdid roomid",
    "uuid": "uuid udn usn deviceuuid guid installationid installid androidid idfa "
    "advertisingid hap_id pi",
    "ssid": "ssid essid wifissid apssid wifiname networkname connectedssid wlanname "
    "wifi_ssid wlanssid",
    "name": "hostname computername netbiosname localname dhcphostname domains "
    "subdomain ddns ddnsname fqdn workstation machinename myhost ddnshost dyndns "
    "hostfqdn hn",
    "person": "alias friendlyname nickname devicename fullname firstname "
    "lastname ownername displayname username_full roomname customname givenname "
    "familyname surname realname homename housename roomlabel ownerfullname "
    "contactname personname",
    "called": "name title label room owner home person resident author calendar zone "
    "group profile who callerid nick location_name devicelabel fn",
    "said": "note notes text message description subject comment displaytext caption",
    "account": "username login account accountid userid uid user loginname loginid "
    "customerid memberid ownerid personid accountname customername logon usr "
    "customernumber contractid subscriber",
    "phone": "phone phonenumber mobile msisdn tel telephone mobilenumber cellphone "
    "cell phoneno telefon handy callernumber telnumber homephone workphone",
    "email": "email mail emailaddress e_mail useremail contact mailaddress",
    "secret": "password passwd pwd pass passphrase secret psk wpakey wifikey "
    "wifipassword presharedkey clientsecret pin setupcode pairingcode localkey "
    "privatekey networkkey wifipass keypassphrase wepkey wepkey0 wepkey1 wepkey2 "
    "wepkey3 wpapsk wpapassphrase wifipw wifipwd passcode adminpassword community "
    "accesscode wlankey wlanpassword pskkey pw setuppin wpspin devicepin birthday "
    "birthdate dateofbirth dob iban",
    "token": "token accesstoken refreshtoken idtoken authtoken sessionid session sid "
    "sessiontoken apikey appkey auth authkey jwt jsessionid phpsessid csrftoken "
    "accesskey pushtoken devicetoken ticket nonce_key credential sessionkey xsrftoken "
    "apitoken bearer appid_token signature oauthtoken code_verifier fcmtoken",
    "key": "key code hash id k hookid pushid channelid linkkey",
    "address": "ip wan wanip publicip externalip clientip remoteaddress remoteaddr "
    "ipaddress ipaddr externalipaddress wanipaddress myip yourip hostip ipv4 ipv6 "
    "lanip localip internalip peer remote origin query gateway realip sourceip "
    "visitorip userip ipv4address address addr server peeraddress publicipv4 "
    "publicipv6 internalclient remotehost client forwardedfor xforwardedfor",
    "place": "latitude lat longitude lon lng latitudei longitudei geo gps "
    "coordinates coords latlng latlon ll position loc geolocation",
    "where": "street postaladdress homeaddress city town village suburb "
    "streetaddress addressline1 addressline2 formattedaddress location address_line "
    "district housenumber locality streetname hometown",
    "product": "model modelname modelnumber modelid modeltype mdl md manufacturer "
    "vendor brand product productname devicemodel hwmodel devicetype vendorname am",
    "postcode": "postcode zipcode zip postalcode plz",
}
_KIND_OF = {
    _BARE.sub("", name.lower()): kind
    for kind, names in _KINDS.items()
    for name in names.split()
}
_ENDS = (
    ("password", "secret"),
    ("passphrase", "secret"),
    ("secret", "secret"),
    ("presharedkey", "secret"),
    ("wepkey", "secret"),
    ("token", "token"),
    ("apikey", "token"),
    ("serialnumber", "serial"),
    ("macaddress", "mac"),
    ("macaddr", "mac"),
    ("bssid", "mac"),
    ("mac", "mac"),
    ("household", "serial"),
    ("householdid", "serial"),
    ("devicename", "person"),
    ("friendlyname", "person"),
    ("uuid", "uuid"),
    ("ssid", "ssid"),
    ("email", "email"),
    ("ipaddress", "address"),
    ("ipaddr", "address"),
    ("username", "account"),
)
_LEADS = ("new", "xavmde", "device", "user", "my")


@lru_cache(maxsize=1 << 14)
def kind_of(key: str) -> str:
    """Return the kind that a field of this name holds, '' for none.

    Besides kinds of identifiers: 'name' (of a host), 'called', 'said', 'address',
    'key', 'phone', 'where' and 'postcode', which what the field holds has to bear out,
    and 'product', which tells what is no identifier.
    """
    bare = _BARE.sub("", key.lower())
    if bare in _KIND_OF:
        return _KIND_OF[bare]
    for lead in _LEADS:
        if bare.startswith(lead) and bare[len(lead) :] in _KIND_OF:
            return _KIND_OF[bare[len(lead) :]]
    for end, kind in _ENDS:
        if bare.endswith(end):
            return kind
    return ""
