"""Tables of traces, and what an import made of them."""

import pytest

from analysis.dataset import load_activities
from analysis.errors import ImportDataError
from analysis.packets import load_packets
from analysis.windows import cut

HEAD = "activity,session,time,size,direction\n"


ON = "turn_on,one,0,190,1\nturn_on,one,0.0005700588226318359,1514,out\n"


OFF = "turn_off,one,0,66,in\nturn_off,one,12.5,54,-1.0\n"


def packets_of(done):
    return load_packets(done.folder, "plug")


def windows_of(done):
    return cut(packets_of(done), load_activities(done.folder), "plug", widen=False)


def faults_of(bring, *args, **options):
    with pytest.raises(ImportDataError) as caught:
        bring(*args, **options)
    return caught.value.faults
