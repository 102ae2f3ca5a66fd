"""Labels of a campaign in formats that other tools read.

write_pcapml_rules(folder, path)  label rules of pcapML: device, time, activity
write_labelled_conn_log(folder, path)  Zeek's conn.log with two columns of labels
write_netflow_rules(folder, rules, path)  rules of netflowlabeler, and their conn.log
"""

from analysis.exporters.labels.netflow import write_netflow_rules
from analysis.exporters.labels.pcapml import write_pcapml_rules
from analysis.exporters.labels.zeek import write_labelled_conn_log

__all__ = ["write_labelled_conn_log", "write_netflow_rules", "write_pcapml_rules"]
