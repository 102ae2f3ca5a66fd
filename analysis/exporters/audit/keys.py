"""Names of fields, and values that makers have fixed, of hubs, cameras and media.

They are known as keys alone: `bridgeid` passes in `"bridgeid":` and in `<bridgeid>`,
not in a running text, and no part of a longer word is known by them. What makers have
fixed (kinds of things, numbers of models) passes anywhere, as a whole word. No list
holds a name of a person or a place.
"""

import re

_HUE = """
bridgeid modelid apiversion swversion datastoreversion swupdate swupdate2 checkforupdate
signedon incoming outgoing communication daylight sunriseoffset sunsetoffset lastscan
bri hue sat xy ct alert effect colormode reachable uniqueid pointsymbol swconfigid
productid productname manufacturername luminaireuniqueid linkbutton ipaddress netmask
gateway dhcp proxyaddress proxyport utc localtime timezone zigbeechannel portalservices
portalconnection portalstate whitelist lastusedate createdate replacesbridgeid
factorynew starterkitid backup errorcode internetservices remoteaccess swupdatestate
devicetypes bridge autoinstall updatetime capabilities certified control mindimlevel
maxlumen colorgamuttype colorgamut streaming renderer archetype function direction
startup configured lastupdated buttonevent sensitivity sensitivitymax ledindication
usertest pending tholddark tholdoffset lightlevel presence dark lat long configid lights
groups sensors scenes schedules rules resourcelinks recycle locked appdata picture
lightstates transitiontime timestriggered lasttriggered conditions operator starttime
autodelete any_on all_on stream proxymode proxynode active clientkey generateclientkey
devicename sceneid on
"""
_HUBS = """
deviceid devicetype deviceinfo devicetypename deviceprofileid devicemanufacturercode
manufacturercode mnmn vid mnmo mnid mnhw mnpv mnos mnsl mnml mndt mnfv presentationid
profileid locationid roomid ownerid installedappid smartappid subscriptionid hubid hubs
hubinfo hubversion componentid components capability capabilities capabilityid attribute
attributes visibleattribute parentdeviceid childdevices restrictiontier executioncontext
healthstatus driverid driverversion networkid firmwareversion hubeui zigbeeeui
provisioningstate networksecuritylevel hardwaretype batterylevel batterypercentage
ispaired pairingcode statechange eventid eventtype eventtime correlationid callbackurl
authcode accesstoken refreshtoken expiresin tokentype scope redirecturi clientid
clientsecret grant_type client_id access_token refresh_token expires_in token_type
redirect_uri response_type cfversion otauupdatestate alexapairstatus
googlehomepairstatus commissioningmode gatewaytimesource currenttimeunix
currenttimeiso8601 daylightsaving dststartmonth dstendmonth dsttimeoffset ntp gatewayid
announcement lightsetting dimmer colorx colory colorhex transition onoff instanceid
applicationtype reachabilitystate otaupdatestate lastseen createdat groupmembers moodid
batterylvl currentfw mfgid pluginremoteregister plugindevice deviceassociationrequest
devicestatechange
"""
_MEDIA = """
friendlyname manufacturerurl modeldescription modelname modelnumber modelurl
serialnumber udn upc presentationurl servicetype serviceid scpdurl controlurl
eventsuburl specversion iconlist mimetype devicetype devicelist servicelist urlbase
rootdesc rootdevice instanceid currentvolume desiredvolume currentmute desiredmute
channel avtransporturi avtransporturimetadata currenturi currenturimetadata nexturi
nexturimetadata currenttrack numberoftracks currenttrackduration currenttrackmetadata
currenttrackuri reltime abstime relcount abscount currenttransportstate
currenttransportstatus currentspeed transportstate transportstatus transportplayspeed
currentplaymode currenttransportactions lastchange protocolinfo didl upnpclass
albumarturi dcdate objectid parentid restricted childcount searchable browseflag
startingindex requestedcount sortcriteria numberreturned totalmatches updateid
systemupdateid containerupdateids sourceprotocolinfo sinkprotocolinfo connectionid
peerconnectionid peerconnectionmanager rcsid avtransportid newexternalipaddress
newremotehost newexternalport newprotocol newinternalport newinternalclient newenabled
newportmappingdescription newleaseduration newportmappingindex newconnectionstatus
newlastconnectionerror newuptime newconnectiontype newpossibleconnectiontypes
newwanaccesstype newlayer1upstreammaxbitrate newlayer1downstreammaxbitrate
newphysicallinkstatus newtotalbytessent newtotalbytesreceived newtotalpacketssent
newtotalpacketsreceived newdefaultconnectionservice newrsipavailable newnatenabled
applicationurl allowstop additionaldata dialver installable zonename zonegroupstate
zonegroup zoneplayer zonegroupmember zonegroupid coordinator boot_seq bootseq
softwareversion swgen minapiversion mincompatibleversion legacycompatibleversion
householdid channelmapset wirelessmode wirelessleafonly channelfreq behindwifiextender
wifienabled ethlink orientation roomcalibrationstate secureregstate voiceconfigstate
micenabled airplayenabled idlestate moreinfo hasconfiguredssid playbackstate
positionmillis availableplaybackactions eureka_info build_version cast_build_revision
setup_state ssdp_udn signal_level noise_level opencast_pin_code hotspot_bssid has_update
wpa_configured wpa_id wpa_state connected displayname duid tokenauthsupport powerstate
gamepadsupport frametvsupport voicesupport countrycode developermode developerip
smarthubagreement networktype wifimac resolution firmwareversion issupport iconurl
"""
_CAMERAS = """
envelope body header fault getdeviceinformation getdeviceinformationresponse
getcapabilities getcapabilitiesresponse getprofiles getprofilesresponse getstreamuri
getstreamuriresponse getsnapshoturi getservices getservicesresponse getsystemdateandtime
hardwareid xaddr xaddrs scopes metadataversion endpointreference probematches probematch
probe appsequence messagenumber relatesto messageid replyto mustunderstand usernametoken
nonce created videosource videosourceconfiguration videoencoderconfiguration
audioencoderconfiguration audiosourceconfiguration ptzconfiguration ptz bounds
sourcetoken usecount ratecontrol frameratelimit encodinginterval bitratelimit govlength
h264profile sessiontimeout mediauri invalidafterconnect invalidafterreboot profiletoken
streamsetup transport rtpcore rtpmulticast rtp_tcp rtp_rtsp_tcp analytics imaging
wssubscriptionpolicysupport wspullpointsupport utcdatetime localdatetime datetimetype
daylightsavings tz rtpmap fmtp sprop packetization mode profile control framesize
framerate cliprect cseq cnonce interleaved ssrc client_port server_port destination
blocksize bandwidth bps sdplang connectionaddress hnap soapactions getdevicesettings
getdevicesettingsresponse getdevicesettingsresult vendorname modelname firmwareversion
hardwareversion subdeviceurls presentationurl tasks devicename getlatestdata
getmoduleenabled moduletypes motiondetectorsettings opstatus triggermotion lasttriggered
ircut nightvision registered captcha captchaenable environmental optical recognition
validation polling getmydlinkreginfo getmydlinkreginforesponse getmydlinkreginforesult
setmydlinkreg setmydlinkregresponse setmydlinkregresult setmydlinkunregistration
getdchreginfo getdchpolicy setdchpolicy ipcamdesc mydlinknumber
"""
_PLUGS = """
gwid devid uid dps dpid productkey productid category activetime bindtime ability
encrypt lpv wifiversion mcuversion schema schemaid localkey iconurl isonline softver
hardver cadv protocolver bv pv evtime set_relay_state get_sysinfo system emeter
get_realtime get_daystat get_monthstat relay_state on_time active_mode sw_ver hw_ver
hwid fwid oemid dev_name deviceid led_off rssi longitude latitude latitude_i longitude_i
mic_type mic_mac updating err_code err_msg ntc_state next_action light_state hue
saturation color_temp on_off brightness dft_on_state smartlife smartbulb lightingservice
transition_light_state ctrl_protocols is_dimmable is_color is_variable_color_temp
is_factory preferred_state voltage_mv current_ma power_mw total_wh energy_wh cncloud
get_info set_server_url fwdltype fwnotifytype tcspinfo tcspstatus stopconnect
illegaltype binded cld_connection wifi_sta cloud mqtt has_timer has_update update
ram_total ram_free fs_size fs_free uptime relays ison source timer_started
timer_duration timer_remaining overpower is_valid meters overtemperature temperature tmp
tc tf inputs event_cnt longpush actions_stats skipped unixtime serial
cfg_changed_counter auth_en fw_id app discoverable num_outputs num_meters report_period
auth_domain gen slot aenergy by_minute minute_ts apower switch_output restart_required
kvs_rev schedule_rev webhook_rev available_updates statusfwr statusnet statussns
statussts statuslog statusmem statusmqt statustim statusprm friendlyname deviceonoff
topic ontopic fulltopic hostname powerretain sensorretain inforetain telemetrylog
telemetry teleperiod powerdelta vcc heap sleepmode loadavg mqttcount wifi ssid bssid
channel mode signal linkcount downtime uptimesec powersave dns1 dns2 subnetmask
totalstarttime apparentpower reactivepower factor yesterday today total sketchsize
boottime bootcount configholder stopic availability_topic state_topic command_topic
payload_on payload_off payload_available payload_not_available unique_id object_id
device_class state_class unit_of_measurement value_template json_attributes_topic
suggested_area via_device sw_version hw_version expire_after force_update
entity_category enabled_by_default identifiers availability configuration_url
supported_color_modes color_mode linkquality battery last_seen ieeeaddr ieee_address
friendly_name network_address power_source date_code software_build_id
interview_completed endpoints bindings clusters
"""
_PAIRING = """
aid iid perms maxlen maxvalue minvalue minstep validvalues format ev pw tw ttl
accessories services characteristics primary hidden linked pid setuphash setupid
statusflags featureflags pairingidentifier pairingmethod discriminator vendorid
productid commissioningmode passcode setuppincode manualcode qrcode rotatingid
pairinghint pairinginstruction fabricid fabricindex nodeid vendorname productlabel
dataversion attributereports attributedata clusterid endpointid commandfields
interactionmodelrevision sessionactiveinterval sessionidleinterval acl authmode
privilege subjects targets
"""
_HEADERS = """
upgrade-insecure-requests x-requested-with x-frame-options x-xss-protection
x-content-type-options x-powered-by x-cache x-cache-hits x-cache-lookup x-served-by
x-timer x-amz-cf-id x-amz-cf-pop x-amz-id-2 x-amz-request-id x-amz-version-id
x-amzn-requestid x-amzn-trace-id x-request-id x-correlation-id x-runtime
x-aspnet-version x-ua-compatible x-varnish x-backend x-edge-location x-cdn cf-ray
cf-cache-status cf-request-id expect-ct alt-svc server-timing strict-transport-security
content-security-policy referrer-policy feature-policy permissions-policy
access-control-allow-origin access-control-allow-headers access-control-allow-methods
access-control-max-age access-control-expose-headers timing-allow-origin nel report-to
p3p last-modified if-modified-since if-none-match if-match if-range accept-ranges
accept-encoding accept-language accept-charset content-range content-disposition
content-language content-location content-md5 soapaction callback nt nts sid usn mx man
st host location cache-control bootid.upnp.org configid.upnp.org searchport.upnp.org opt
01-nls x-user-agent hue-bridgeid x-rincon-bootseq x-rincon-household x-rincon-variant
x-rincon-wifimode securelocation.upnp.org retry-after max-forwards allow
www-authenticate proxy-connection keep-alive te trailer dnt sec-fetch-mode
sec-fetch-site sec-fetch-dest sec-websocket-key sec-websocket-version
sec-websocket-accept sec-websocket-protocol font font-family font-size font-weight
margin padding style container background background-color relative position sans-serif
xmlns xsi xsd instance macaddress locale locales latest sessionid
"""
_FIXED = """
dimmable ambiance phdl ptag bsb001 bsb002 bsb003 lct001 lct007 lct010 lct014 lct015
lct016 lwb004 lwb006 lwb007 lwb010 lwb014 lst001 lst002 ltw001 ltw004 ltw010 ltw012
llc010 llc011 llc012 llc020 rwl020 rwl021 sml001 zgpswitch zllswitch zlltemperature
zllpresence zlllightlevel clipgenericstatus clipgenericflag clippresence clipswitch
lightgroup roomscene freebox onvif rtspunicast setupwizard libavahi rincon playbar
playbase avtransport renderingcontrol connectionmanager contentdirectory mediarenderer
mediaserver mediareceiverregistrar internetgatewaydevice wandevice wanconnectiondevice
wanipconnection wanpppconnection wancommoninterfaceconfig wanethernetlinkconfig
layer3forwarding lanhostconfigmanagement deviceprotection wfawlanconfig wfadevice
wifialliance musicservices alarmclock devicemanagement zonegrouptopology groupmanagement
qplay smarttapplugswitch smartbulb sonoff homeassistant zigbee2mqtt shellyplus1
shellyplug shelly1 shelly1pm shellydimmer shellyem shelly25 googlecast spotifyconnect
airplay2 ipbridge tradfribridge stv nlsd xmlsoap ksoap2 winamp printbasic winhttp arial
helvetica verdana trebuchet serif sans mydlink chromiumos jardenevent crockpotevent
"""
KEYS = frozenset(f"{_HUE}{_HUBS}{_MEDIA}{_CAMERAS}{_PLUGS}{_PAIRING}{_HEADERS}".split())
FIXED = frozenset(_FIXED.split())
_NAME = r"[A-Za-z0-9][\w.\-]{1,48}"
_KEYED = re.compile(
    rf"</?(?:\w{{1,16}}:)?(?P<tag>{_NAME})(?=[\s/>])"
    rf"|(?<![\w.\-])(?P<key>{_NAME})(?=\\?[\"']?\s?[:=])"
)


def without_keys(text: str) -> str:
    """Return a text without the names of fields that anybody's device has."""
    return _KEYED.sub(_blank, text)


def _blank(found: re.Match[str]) -> str:
    name = found["tag"] or found["key"]
    return " " if name.lower() in KEYS else found.group()
