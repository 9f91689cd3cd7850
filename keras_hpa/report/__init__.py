"""The run report: one HTML file that shows how a training went, to send on. It needs an extra, `keras-hpa[report]`."""

from keras_hpa.report.write_report import write_report as write_report
