# The unit's system with doors open, for the workshop only: never for a pole.
require milepost-image.bb

# nooelint: oelint.var.badimagefeature - these doors are what this image is for
IMAGE_FEATURES += "allow-root-login empty-root-password serial-autologin-root ssh-server-openssh tools-debug"
IMAGE_INSTALL:append = " gstreamer1.0 htop less v4l-utils"

ROOTFS_POSTPROCESS_COMMAND:remove = "milepost_shut_doors"
IMAGE_QA_COMMANDS:remove = "milepost_image_qa"
