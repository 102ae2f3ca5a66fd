"""Words that everybody uses: no home and nobody is told from others by one of them.

What is harvested is replaced everywhere, so none of these may be taken for a name, a
login or a secret. Lower case, ASCII; other languages where homes of ours speak them.
"""

_PROTOCOLS = """
    accept access account accounts action active ad add addr address admin
    administrator adsl agent all allow android anonymous any anyone api apn app
    apple application apps archive attribute audio auth author auto automatic
    available avahi back base basic bearer bgn binary block body boolean boot bot
    box bridge broadcast browser buffer build bus button cache call camera cancel
    cast cert certificate chain change channel charset chassis check chunk class
    client clients close closed cloud cmd code com command community component
    config configuration connect connected connection contact content control
    controller cookie core count counter create created cron crond current custom
    daemon data database date day ddns debian debug default delete deleted demo deny
    description desktop detail dev device devices dhcp diag digest dir direct
    disable disabled discovery disk display dnsmasq dns domain done down download
    driver dropbear dropped duration dynamic echo edit email empty enable enabled
    encoding end engine entry environment error eth ethernet event events example
    exit expired export extended external factory fail failed failure false fan
    feature field file files filter firewall firmware first flag flags folder format
    forward foundation free frame from full function gateway generic get global
    google group groups guest handler hardware head header health hello help hidden
    high history home host hostapd hostname html http https hub icon id identity
    idle ignore image images inactive inc include index info init input install
    integer interface internal internet invalid iot ip ipad iphone ipod ipv item
    items java join json kernel key keys krbtgt label lan language last latest
    laptop ldap level library license light limited line link linux list live load
    local localdomain localhost location lock log logger login logout low mac
    machine macbook mail main major manager manual manufacturer master max media
    member memory message meta meter method metric microsoft minor minute mirror
    missing mobile mobility mode model modem modify module monitor monitoring more
    mosquitto msbrowse msg msft name names nas native netbios netifd network
    networks new next nginx no nobody node none normal not notebook notice notify
    ntp ntpd null number object off offline ok old on one online open openwrt
    operator option options or order os other out output owner package page panel
    param password path pause pay pending people phone ping platform play player
    plugin point policy poll pool port portal position post power present pressed
    primary print printer priority private process product profile program property
    protocol provider proxy public publish pull push put query queue radio random
    range rate raw read reader ready real reason rebooted receiver record recovery
    redirect refresh region register registered registration relay reload remote
    remove removed report request reserved reset resolver resource response rest
    restart result resume retry return role root route router rule running sample
    scan scene schedule scheme scope screen script search second secondary secret
    secure security segment select self send sender sensor serial server servers
    service services session set setting settings setup shadow share shared shell
    short shutdown sign signal simple single site size sleep slot smart snapshot
    socket software source speaker speed ssdp ssh ssl stable staff standard standby
    start started startup state static station status step stop stopped storage
    store stream string subscribe success support switch sync syslog system systemd
    table tablet target task telemetry template temp test tester testing text theme
    thing things time timeout timer timestamp title token tool topic total trace
    track transport true trust tunnel type udhcp udhcpd udp uhttpd uint unassigned
    undefined unit unix unknown unset untitled up update updated upgrade upload upnp
    uri url usage user username users valid value values vendor version video view
    virtual visible void volume wait wan warning watch web webhook website welcome
    wifi window windows wireless wlan word work worker workgroup workstation world
    wpad write xml yes zero zone isatap captive generate proc procd odhcpd pppd sshd
    rsyslogd sudo python bash homeassistant hass zigbee matter thread bluetooth ble
    zwave mqtt coap tls rtsp onvif sip tcp ftp smtp imap snmp ntlm negotiate
    kerberos nonce realm opaque qop algorithm cnonce readonly readwrite corp
    intranet organization authority intermediate issuing validation dell lenovo
    intel samsung sony philips belkin amazon netgear linksys asus huawei xiaomi tuya
    shelly sonos bose ring nest wemo kasa hue ikea tradfri osram lightify withings
    fitbit homekit alexa siri assistant chrome chromecast roku firefox safari
    mozilla explorer opera edge office outlook gecko webkit ubuntu raspberry
    raspberrypi raspbian espressif mediatek realtek broadcom qualcomm tasmota
    esphome controllers net logon printers printing scanner laserjet officejet
    deskjet epson canon brother utility wizard documents downloads videos music
    pictures dvr nvr cam adminpassword hnap dcs dch pc
"""
_HOME = """
    air alarm apartment attic away baby back balcony basement bathroom bath bed
    bedroom bedside bell blind blinds blue bright brightness brown bulb bulbs cabin
    cabinet ceiling cellar chair chandelier christmas closet coffee cold color
    colour colors compact cooker cool cooling corner corridor counter couch cream
    curtain curtains cyan dark daylight desk detector dim dimmer dining dinner
    dishwasher door doorbell down driveway dryer east entrance entry evening eco
    energy fairy family favourite favourites fire floor flash fountain freezer
    fridge front gallery game garage garden gate gold good green ground guest hall
    hallway heat heater heating holiday hood hot house humidity humid indoor inside
    intensity iron kettle kids kitchen lamp lamps landing large laundry lawn left
    library lights lightstrip living lobby lounge lower magenta magic main maker
    medium middle midnight mirror moon morning motion movie movies music nap nature
    nightlight night noise north nursery office oil orange outdoor outlet outside
    oven party patio pet pink plant plants plug plugs pool porch presence projector
    purifier purple rain reading rear red relax relaxed right robot romantic roof
    room rooms scenes shades shelf shower shutter side silver siren sitting sky
    small smoke soft sofa sound south spare spot spots spring sprinkler stair
    staircase stairs standing stove strip strips studio study summer sun sunlight
    sunny sunrise sunset sunshine table television temperature terrace thermostat
    toilet top trend tropical twilight tube turn turned tv upper upstairs downstairs
    utility vacuum vent ventilation wall wardrobe warm warmth washer washing water
    waterfall weather west white winter wake window yard yellow autumn bloom blossom
    concentrate energize savanna arctic aurora rest relaxing rhythm candle fireplace
    ocean zuhause haus wohnung wohnzimmer schlafzimmer kinderzimmer badezimmer
    kueche bad flur keller garten buero arbeitszimmer esszimmer zimmer licht lampe
    steckdose decke an aus diele balkon terrasse gast hem hemma vardagsrum sovrum
    kontor maison salon chambre cuisine bureau casa cocina dormitorio cucina camera
    soggiorno woonkamer slaapkamer keuken slaap thuis huis gang zolder default
    dinnerware
"""
_TIMES = """
    jan feb mar apr may jun jul aug sep oct nov dec january february march april
    june july august september october november december mon tue wed thu fri sat sun
    monday tuesday wednesday thursday friday saturday sunday today tomorrow
    yesterday now never always hour hours minute minutes seconds daily weekly
    monthly weekday weekend year years week utc gmt cet cest est pst berlin europe
    london paris stockholm america asia york africa australia germany france sweden
    england english german deutsch french spanish spain italy italian dutch
    netherlands belgium austria switzerland denmark norway finland poland ireland
    scotland united states kingdom japan china chinese
"""
_OTHERS = """
    celsius fahrenheit percent percentage watt watts kelvin voltage current
    frequency calories steps distance altitude pressure moisture leak vibration
    tamper unlock locked unlocked closing opening heating comfort boost vacation
    weekdays everyday once repeat consumption production ambient illuminance contact
    thermometer hygrometer barometer doorlock smoke carbon dioxide monoxide
    firmwareversion serialnumber manufacturer identify tilt rotation direction
    saturation hue playlist track album artist song radio station podcast news
    traffic alarm clock stopwatch calendar reminder shopping groceries todo inbox
    notification notifications subscription tap kamera varnish vegur squid akamai
    cloudfront ghost haproxy envoy caddy traefik dimmable rise shine full moved
    found permanently bad forbidden unauthorized www reachability probe page
    gigabitethernet fastethernet tengigabitethernet sensor hub okay cancelled unable
    allowed required missing timed perfect works it's streaming dimming on/off
    plugin extended dimmer colored lux luminance occupancy battery about above after
    again also and another are because been before being below best between both but
    can cannot could did does each either else every everybody everyone everything
    few for had has have here his her how into its just less like made make many may
    maybe mine most much must my nothing nor our over own please same she should
    since some something such than thank thanks that the their them then there these
    they this those through too under until use used very was were what when where
    which while who whom whose why will with within without would you your two three
    four five six seven eight nine ten third fourth low larger corporation company
    limited gmbh incorporated llc ltd technologies technology electronics
    international systems solutions labs laboratory general special public premium
    plus pro mini max ultra lite edition generation original john_doe lorem ipsum
    foo bar baz qwerty changeme string
"""

WORDS = frozenset(f"{_PROTOCOLS} {_HOME} {_TIMES} {_OTHERS}".split())
