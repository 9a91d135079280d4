# Milepost's networks run in OpenCV's dnn, which is off by default.
PACKAGECONFIG:append:milepost = " dnn"
# A unit shows nothing on a screen and has no use for Python, examples or photo cameras.
PACKAGECONFIG:remove:milepost = "gapi gphoto2 gstreamer gtk libav libv4l python3 samples tests v4l"
