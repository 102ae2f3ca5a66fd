"""Words that every campaign may hold: keys of the format, and values of closed lists.

They are never rewritten where they are keys, or values of the field whose list they are
on. Anywhere else they are texts as others: a device that somebody calls 'manifest' is
no field.
"""

from collections.abc import Mapping

from analysis.dataset import OUTCOMES, Times

# whose keys are names that somebody gave
NAMED = frozenset(("plugs", "profiles", "activities", "delta_groups", "parameters"))
# keys of campaign.yaml, journal, plan and receipt; what is not here may be a name
_FIELDS = """
above act actions activities activity acts after anchor answer any api app app_version
at at_home at_ns attack attempt attempts away before begins begins_s below busy campaign
capture captured_ns captures category chance channel channels check class clear
clickable clock clock_uncertainty condition days decision delta delta_groups delta_s
depth description detail device device_silent devices down_s drift drift_ppm driver
dropped due_ns engine episodes error_ns event every_packet facts faults feeds file files
filter firmware first_beacon first_day form frame free_mb give_up gives habits home host
hours id idle idle_s initial inside instant_ns interface interleave internet interrupts
ip is_device issue_ns key kind lab language last_beacon last_day late late_s left_of
limits log look_every loopback mac malicious manifest_sha256 missed model moment
moved_to_ns n_beacons n_labelled n_trials name needs network networks not_before_s of
offset offset_ns online open_app options order outcome package parameters permissions
phase phone pid plaintext plan_json plugs point power power_w preparation profiles
ready_ns reason received repeats rerun_of rest rest_s return_ns right_of rotate
rotate_mb router router_clock routines rung same_plan say scenario schedule see seed
select sent_ns seq session sessions set settle settle_s sha256 shift simulated since_ns
size_b slips spread stepped_ns steps stopped_by stopped_ns swipe switch tails tap target
text text_contains times tool trial trials trials_json trigger trip twins type uniform
unit unreadable until user users utterance value variation vendor version versions
virtual voice wait_for wan_delay wan_loss wav_sha256 weekday weekend within
"""
FIELDS = frozenset(_FIELDS.split())
_EVENTS = """
campaign_planned trials_inserted session_started session_ended capture_started
capture_file_fetched capture_stopped clock_measured trial_started beacon_sent
stimulus_issued stimulus_returned evidence_kept attempt_voided trial_ended suspended
cleared campaign_closed campaign_imported schedule_added schedule_removed start_decided
"""
_CHANNELS = frozenset(("phone", "voice", "power", "api"))
_NETWORKS = frozenset(("lan", "wan"))
_ON = frozenset(("on", "off"))
# field -> all values that it may have
CLOSED: Mapping[str, frozenset[str]] = {
    "channel": _CHANNELS,
    "channels": _CHANNELS,
    "network": _NETWORKS,
    "networks": _NETWORKS,
    "outcome": frozenset(OUTCOMES),
    "phase": frozenset(("before", "after", "rest", "probe")),
    "event": frozenset(_EVENTS.split()),
    "form": frozenset(("live", "fast", "imported")),
    "category": frozenset(("camera", "speaker", "tv", "plug", "light", "hub", "other")),
    "driver": frozenset(("androidviewclient", "tts", "pywemo", "ssh")),
    "tool": frozenset(("tshark", "dumpcap", "tcpdump", "fast", "imported")),
    "depth": frozenset(("packets", "activities")),
    "times": frozenset(str(each) for each in Times),
    "permissions": frozenset(("deny", "allow")),
    "stopped_by": frozenset(
        ("INT", "TERM", "KILL", "lease", "disk", "gone", "unknown")
    ),
    "moment": frozenset(("trigger", "check", "failure", "app")),
    "power": _ON,
    "switch": _ON,
    "set": _ON,
}
