# What needs the distribution `milepost` says so before anything is built. With any other OpenCV lacks its networks, the loader its
# commands, systemd its encryption and the kernel its options, and each of these would be found out hours later.
# nooelint: oelint.task.noanonpython
python () {
    if 'milepost' not in (d.getVar('DISTROOVERRIDES') or '').split(':'):
        raise bb.parse.SkipRecipe('set DISTRO = "milepost", or build your own distribution upon conf/distro/milepost.conf')
}
