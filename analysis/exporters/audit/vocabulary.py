"""Words that protocols and products use, and that tell of nobody.

Readable text of a data set is judged word by word: what stands here may stay as it was
recorded, everything else is told. So no first name, family name, place or month of the
year is in the list (a date is known by its form), and it stays short on purpose.
"""

_SPEECH = """
the and for with from into not none null nil nan true false yes off out all any are
can has have had been was were will would could should this that these those then than
when where which what who why how you your our their its his her but per via too very
more most less least only also each both other another same new old first last next
previous before after again until while about above below between under over onto upon
one two three four five six seven eight nine ten hundred thousand million half double
sec secs second seconds min mins minute minutes hour hours day days week weeks month
months year years date time timer times today yesterday tomorrow now later never
always left right high low upper lower top bottom front back inner outer small large
big long short wide full empty open opened close closed begin began start started stop
stopped end ended find found get got gets set sets put puts let make made take taken
give given show shown hide hidden move moved turn turned keep kept read reads write
written send sends sent receive received ask asked tell told say said play played
pause paused resume resumed wait waiting done ready working busy idle live fast slow
please thanks hello welcome sorry good bad best better worst just already still here
there
"""

_PROTOCOLS = """
http https ftp sftp tftp smtp pop imap mqtt amqp coap xmpp rtsp rtp rtcp sip sdp ssdp
upnp soap rest rpc json xml html xhtml css csv yaml svg png jpg jpeg gif bmp ico mpeg
mpg avc aac pcm wav opus vorbis ogg flac webm webp woff ttf pdf txt zip gzip deflate
tar brotli utf ascii unicode iso latin charset encoding encodings encoded decode
base64 hex binary octet stream multipart mixed form data boundary chunked identity
quoted printable tcp udp icmp igmp arp dhcp dns mdns llmnr nbns ntp sntp snmp ssh ssl
tls dtls quic ipv4 ipv6 mac lan wan wlan wifi wireless ethernet bluetooth zigbee
thread matter zwave get post put head patch delete options connect trace notify search
subscribe unsubscribe msearch describe setup teardown announce register invite bye ack
cancel publish publisher accept accepted language languages agent user server host
hosts connection keep alive cache control pragma content length type types disposition
transfer range ranges authorization authenticate authentication proxy via forwarded
origin referer location upgrade insecure requests request response responses status
reason code codes date age expires expire modified since match none etag vary allow
allowed methods method cookie cookies set path domain secure httponly samesite strict
lax max-age max stale revalidate must public private store cors cross site mode
navigate dest embed document fetch sec mobile platform dnt expect continue created
moved permanently temporarily found redirect unauthorized forbidden missing
precondition failed large unsupported media internal error errors gateway bad
unavailable timeout version versions success successful fail failure fault faults
warning info debug notice critical emergency ext usn nts ntls rootdevice root devices
device service services event events sub subs subscription sid callback man byebye
discover discovery searchport bootid configid nextbootid opt cachecontrol all urn uuid
uri url urls urlbase scpd scpdurl controlurl eventsuburl presentationurl presentation
specversion major minor devicetype friendly friendlyname name names manufacturer
manufacturerurl model modelname modelnumber modelurl modeldescription description
descriptions serial serialnumber udn upc number icon icons iconlist mimetype width
height depth deviceid devicelist servicelist servicetype serviceid servicestatetable
statevariable variable variables sendevents datatype default defaultvalue related
retval argument arguments action actions argumentlist actionlist direction envelope
body header headers xmlns schemas schema schemaslocation xmlsoap encodingstyle string
strings boolean bool integer int uint float double byte bytes array list lists map
object objects item items key keys value values field fields index row rows column
columns table tables entry entries element elements attribute attributes property
properties parameter parameters param params option config configuration configure
setting settings profile profiles preference preferences state states result results
return returned reply query queries command commands cmd message messages msg text
texts title label labels tag tags id ids ref refs node nodes link links file files
folder directory size sizes count counts total sum avg average mean rate rates ratio
percent level levels limit limits threshold step scale unit units offset position
order sort filter filters group groups class classes category categories kind family
vendor product products brand firmware software hardware revision build release update
updates updated upgraded download downloaded upload uploaded install installed restart
restarted reboot reset restore backup check checked checksum hash digest signature
signed sign crc sha md5 hmac aes rsa cipher ciphers encrypt encrypted encryption
decrypt plain plaintext challenge nonce realm qop opaque algorithm basic bearer
negotiate token tokens session sessions auth login logout account accounts password
passwords username credentials credential secret secrets certificate certificates
issuer subject valid invalid expired verify verified trust trusted permission
permissions denied grant granted access accessed role roles owner owners client
clients peer peers master slave primary secondary local remote cloud home room rooms
house zone zones area areas network networks interface interfaces port ports address
addresses mask subnet router bridge hub switch switches relay relays socket sockets
channel channels signal strength rssi snr noise bandwidth frequency band packet
packets frame frames segment segments buffer buffers queue queues topic topics retain
qos will clean broker presence roster stanza heartbeat ping pong echo pulse online
offline connected disconnected connecting pairing paired unpaired bind bound binding
unbind enable enabled disable disabled active inactive activate activated activity
activities available pending running present absent supported support supports
required optional unknown undefined unspecified reserved unused test tests testing
demo example examples sample samples simulation simulated virtual real
"""

_THINGS = """
power powered voltage current watt watts energy consumption usage used battery charge
charging charger temperature humidity pressure light lights lamp bulb plug outlet
camera cameras video audio image images picture photo photos snapshot snapshots record
recording records recorded clip clips music song songs album artist track tracks
playlist radio station stations podcast news joke weather forecast alarm alarms alert
alerts reminder volume mute muted speaker speakers microphone voice speech sound
sounds tone tones display screen screens brightness bright dim dimmer colour color
colours colors hue saturation contrast white warm cold cool red green blue black
yellow orange purple pink cyan magenta grey gray rgb rgbw kelvin scene scenes schedule
schedules scheduled routine routines rule rules trigger triggers condition conditions
automation motion sensor sensors detect detected detection door window lock locked
unlock unlocked garage doorbell thermostat heater heating cooling fan valve water leak
smoke gas vacuum cleaner robot kettle coffee oven fridge washer dryer television
remote button buttons press pressed keyboard mouse touch tap swipe phone tablet laptop
desktop computer printer scanner storage disk memory cpu load uptime process processes
thread threads kernel driver drivers module modules library libraries engine runtime
shell script scripts job jobs task tasks log logs logging logger report reports metric
metrics statistic statistics counter counters history histories timestamp timestamps
timezone zone epoch utc gmt cet cest est pst local latitude longitude altitude
accuracy speed distance country city region street postcode person people member
members guest visitor admin administrator root system systems sys operator operators
anonymous nobody everyone app apps application applications web website page pages
site sites main view views menu panel dialog form forms input output outputs inputs
stdin stdout stderr source sources target targets destination sender receiver origin
parent child children sibling block blocks chunk chunks part parts piece pieces
section sections line lines char character characters word words letter digit digits
number numbers minimum maximum min max lowest highest nearest random fixed dynamic
static auto automatic manual normal standard custom default advanced simple complex
single multi multiple multicast broadcast unicast anycast wake sleep standby hibernate
boot shutdown halt kill abort cancel cancelled retry retries retried skip skipped
ignore ignored drop dropped lost missing duplicate duplicated repeat repeated loop
once twice colour_data work_mode characteristics identify firmwareversion insight
basicevent basiceventservice insightservice pluginpres relatedstatevariable
signalstrength controllee getbinarystate actionlist rootdevice metainfo remoteaccess
timesync smartsetup firmwareupdate deviceinfo deviceevent manufacture todayontime
standbytime instantpower insightparams homeid pluginid plugin smartplugswitch smart
monitor monitoring duration tim ene iot updating
"""

_SHORT = """
internet interval intervals create created use uses exist exists occurred copyright
compiled technical notification notifications portal diagnostic diagnostics doctype
dtd meta equiv div span fieldset head href bgcolor conn reachability probe hit miss
amz aspx ashx handler enc dec netmask stats supplied renew context illegal pre
openresty urlencoded hnap push exe dll mailslot browse calloc getopt save remove pid
flash europe asia africa america australia transition aid iid hap cid dps gwid devid
productkey ver fwver hwver swver err errno errcode sysinfo sys dev mic feature
features alias ledoff oemid hwid fwid latitudei longitudei ontime emeter relaystate
setrelaystate getsysinfo getrealtime nexttype iconhash rst src dst ack syn fin ttl hop
hops mtu mss seq len num idx ptr txt srv soa naptr any req resp res rsp evt obj str
arg args argv env cfg conf ctx cur prev pos del add rem upd ins sel cnt tmp var val
vals lib bin etc usr opt proc www ftp api apis sdk ide gui cli url uri sso otp mfa pin
ssid bssid essid psk wpa wpa2 wpa3 wep eap tkip ccmp wps ap sta ibss mesh rrm bss ess
ofdm mcs vht amp dbm mhz ghz khz kbps mbps gbps kib mib gib soc ram rom usb hdmi gpio
uart spi adc pwm led leds lcd oled tft dpi fps bps hdr uhd hevc h264 h265 mp3 mp4 m3u8
mkv ssrc nat stun turn ice pcp upnp dlna dial dmr cast airplay raop tlsv1 sslv3 esp
wpad ffff ffffff msft uid rel uds
"""

_MAKERS = """
belkin wemo samsung smartthings tizen tplink tp-link kasa tapo philips signify osram
lightify ikea tradfri amazon alexa echo dot fire kindle google nest chromecast mini
android apple iphone ipad ipod homekit hap airport macos darwin ios microsoft windows
xbox linux ubuntu debian fedora openwrt dnsmasq busybox udhcp udhcpc dhcpcd lighttpd
nginx apache iis jetty tomcat openssl mbedtls wolfssl libupnp portable sdk miniupnpd
gupnp cybergarage cyberlink python python3 urllib urllib3 requests aiohttp curl wget
libcurl okhttp dalvik mozilla webkit applewebkit khtml gecko chrome chromium safari
firefox opera edge trident java javascript ecmascript perl ruby php golang node nodejs
express netgear arlo dlink omna d-link linksys asus tuya smartlife iview koogeek lifx
yeelight xiaomi mijia aqara huawei honor sony bravia lg webos panasonic toshiba sharp
roku netflix spotify youtube hulu deezer tunein pandora sonos bose harman denon yamaha
ring blink wyze eufy ecobee honeywell tado netatmo withings fitbit garmin foscam dahua
hikvision axis reolink espressif esp8266 esp32 realtek broadcom qualcomm mediatek
marvell atheros ralink intel amd nvidia arm cortex mips freertos lwip contiki riot
zephyr redsonic bluez wpasupplicant hostapd wireshark dumpcap tcpdump libpcap insteon
vera wink lutron caseta leviton ge enbrighten sengled homepod siri cortana bixby
assistant firebase gcm fcm apns aws azure akamai cloudfront cloudflare fastly digicert
letsencrypt globalsign verisign symantec comodo sectigo godaddy corporation corp inc
ltd gmbh llc co company international technologies technology electronics
semiconductor systems com net org edu gov example lan localdomain localhost test
invalid arpa
"""

WORDS = frozenset(
    f"{_SPEECH}{_PROTOCOLS}{_THINGS}{_SHORT}{_MAKERS}".replace("-", " ").split()
)
