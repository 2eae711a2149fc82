"""A stand-in for the image of Raspberry Pi OS: its layout, made of Debian's packages.

What is the same: two partitions (FAT, ext4) in an MBR, 8 MiB aligned, /boot/firmware, Debian
trixie arm64 with Python 3.13 and apt's numpy, systemd, cloud-init with its files on the boot
partition, groups and device rules for the pins, python3-lgpio and python3-picamera2 as packages.
What is not: the kernel and the firmware's start (QEMU loads Debian's kernel), Raspberry Pi's own
packages (the two above are built here from their sources), its first-boot programs.
"""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from tests.device.cache import CPUINFO, call, emulated, folder, root_tar

_MIB = 1024 * 1024
_FAT = 256
_CLOUD = """datasource_list: [NoCloud, None]
datasource:
  NoCloud:
    seedfrom: file:///boot/firmware/
manage_etc_hosts: localhost
apt_preserve_sources_list: true
"""
# As raspberrypi-sys-mods has them.
_RULES = """SUBSYSTEM=="gpio", GROUP="gpio", MODE="0660"
SUBSYSTEM=="dma_heap", GROUP="video", MODE="0660"
KERNEL=="udmabuf", GROUP="video", MODE="0660"
"""
_NETWORK = "[Match]\nName=usb* eth* enx*\n[Network]\nDHCP=yes\n"
# A root shell on the serial line, by which the test looks inside.
_SHELL = "[Service]\nExecStart=\nExecStart=-/sbin/agetty -n -l /bin/bash 115200 %I vt100\n"
# What `pip wheel lgpio picamera2` gave: a new release elsewhere is not to fail this test.
_WHEELS = (
    "attrs==26.1.0", "av==19.0.2", "jsonschema==4.26.0", "jsonschema-specifications==2025.9.1",
    "lgpio==0.2.2.0", "libarchive-c==5.3", "openexr==3.5.3", "picamera2==0.3.38", "pidng==4.0.9",
    "piexif==1.1.3", "pillow==13.0.0", "python-prctl==1.8.1", "referencing==0.37.0",
    "rpds-py==2026.9.1", "simplejpeg==1.9.0", "tqdm==4.70.1", "videodev2==0.0.4",
)
_QUIET = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_reap.service", "e2scrub_all.timer",
    "fstrim.timer", "dpkg-db-backup.timer", "systemd-firstboot.service",
    "systemd-networkd-wait-online.service",
)


def stand_in() -> Path:
    """Return the image of the stand-in, made on the first call."""
    tar = root_tar()
    image = folder() / f"standin-{tar.stem}.img"
    if image.exists():
        return image
    wheels = library_wheels()
    root = folder() / "standin-root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    call("tar", "-xpf", str(tar), "-C", str(root), "--numeric-owner")
    _configure(root)
    _packages(root, wheels)
    part = image.with_suffix(".part")
    _write(root, part)
    part.rename(image)
    shutil.rmtree(root)
    return image


def library_wheels() -> Path:
    """Return the folder with lgpio and picamera2 for arm64 and Python 3.13, built from source."""
    wheels = folder() / "wheels"
    names = (pin.replace("-", "_").replace("==", "-") for pin in _WHEELS)
    if all(any(wheels.glob(f"{name}-*.whl")) for name in names):
        return wheels
    wheels.mkdir(exist_ok=True)
    root = folder() / "build-root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    call("tar", "-xpf", str(root_tar()), "-C", str(root), "--numeric-owner")
    certificates = Path("etc/ssl/certs/ca-certificates.crt")
    shutil.copyfile("/etc/resolv.conf", root / "etc/resolv.conf")
    shutil.copyfile(Path("/") / certificates, root / certificates)
    inside(
        root,
        "apt-get -q update && apt-get -q install -y --no-install-recommends "
        "gcc libc6-dev python3-dev swig libcap-dev && "
        # PYPI=1 is the source archive's own switch for a build with its C library inside.
        f"PYPI=1 pip3 wheel --no-deps --no-cache-dir -w /wheels {' '.join(_WHEELS)}",
    )
    for wheel in (root / "wheels").glob("*.whl"):
        shutil.copy(wheel, wheels)
    shutil.rmtree(root)
    return wheels


def inside(root: Path, command: str) -> str:
    """Run *command* by the shell of the system in *root*, under qemu-user, and return its output.

    The mounts are in a namespace of their own, which ends with the command.
    """
    cpuinfo = folder() / "cpuinfo"
    cpuinfo.write_text(CPUINFO, encoding="ascii")
    return emulated(
        "unshare", "-m", "sh", "-euc",
        # Without /sys LiteRT leaves XNNPACK out, says nothing of it, and computes otherwise.
        'mount -t proc proc "$0/proc"; mount -t sysfs sys "$0/sys"; mount --bind /dev "$0/dev"; '
        'mount --bind "$1" "$0/proc/cpuinfo"; '
        'env -u PIP_FIND_LINKS -u SSL_CERT_DIR chroot "$0" /bin/sh -c "$2"',
        str(root), str(cpuinfo), command,
    )


def _configure(root: Path) -> None:
    files = {
        "etc/rpi-issue": "Stand-in for Raspberry Pi OS, made of Debian for maskgate's tests\n",
        "etc/hostname": "raspberrypi\n",
        "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 raspberrypi\n",
        "etc/fstab": "/dev/mmcblk0p1 /boot/firmware vfat defaults 0 2\n"
        "/dev/mmcblk0p2 / ext4 defaults,noatime 0 1\n",
        "etc/machine-id": "uninitialized\n",
        "etc/cloud/cloud.cfg.d/99_standin.cfg": _CLOUD,
        "etc/udev/rules.d/99-com.rules": _RULES,
        "etc/modules-load.d/standin.conf": "udmabuf\n",
        "etc/systemd/network/50-usb.network": _NETWORK,
        "etc/systemd/system/serial-getty@.service.d/shell.conf": _SHELL,
        "boot/firmware/user-data": "#cloud-config\n",
        "boot/firmware/meta-data": "dsmode: local\ninstance_id: rpios-image\n",
        "boot/firmware/network-config": "",
    }
    for name, text in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    for unit in _QUIET:
        place = root / "etc/systemd/system" / unit
        place.unlink(missing_ok=True)
        place.symlink_to("/dev/null")
    inside(
        root,
        "systemctl enable -q systemd-networkd; for g in input spi i2c gpio; do groupadd -f -r $g; "
        "done; useradd -m -s /bin/bash pi",
    )


def _packages(root: Path, wheels: Path) -> None:
    """Install python3-lgpio and python3-picamera2, as the packages that Raspberry Pi OS has."""
    debs = root / "var/tmp/debs"
    every = {path for path in wheels.glob("*.whl") if not path.name.startswith("numpy-")}
    lgpio = {path for path in every if path.name.startswith("lgpio-")}
    for name, parts in (("python3-lgpio", lgpio), ("python3-picamera2", every - lgpio)):
        packages = debs / name / "usr/lib/python3/dist-packages"
        packages.mkdir(parents=True)
        for wheel in parts:
            with zipfile.ZipFile(wheel) as archive:
                tops = {entry.partition("/")[0] for entry in archive.namelist()}
                # What Debian has already, such as attr for cloud-init, stays Debian's.
                if not any((root / "usr/lib/python3/dist-packages" / top).exists() for top in tops):
                    archive.extractall(packages)
        if name == "python3-picamera2":
            # Only its preview needs pykms, which Debian does not have.
            (packages / "pykms.py").write_text(
                "class _Names:\n    def __getattr__(self, name):\n        return name\n\n\n"
                "PixelFormat = PlaneType = _Names()\n",
                encoding="ascii",
            )
        control = debs / name / "DEBIAN/control"
        control.parent.mkdir()
        control.write_text(
            f"Package: {name}\nVersion: 0~standin\nArchitecture: arm64\nMaintainer: maskgate tests "
            f"<nobody@example.org>\nDepends: python3\nDescription: {name} for maskgate's tests\n",
            encoding="ascii",
        )
        call("dpkg-deb", "--root-owner-group", "-Znone", "-b", str(debs / name))
    inside(root, "dpkg -i /var/tmp/debs/*.deb")
    shutil.rmtree(debs)


def _write(root: Path, image: Path) -> None:
    """Write *root* as an image with the layout of pi-gen's, the tool that makes the real ones."""
    fat = image.with_suffix(".fat")
    fat.unlink(missing_ok=True)
    with fat.open("wb") as file:
        file.truncate(_FAT * _MIB)
    call("mkfs.vfat", "-F32", "-s1", "-n", "bootfs", str(fat))
    firmware = root / "boot/firmware"
    call("mcopy", "-s", "-i", str(fat), *map(str, firmware.iterdir()), "::/")
    shutil.rmtree(firmware)
    firmware.mkdir()
    used = int(call("du", "-xsm", str(root)).split()[0])
    size = (used * 6 // 5 + 200 + 7) // 8 * 8
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate((8 + _FAT + size) * _MIB)
    call(
        "sfdisk", "-q", str(image),
        input=f"label: dos\nstart={8 * 2048},size={_FAT * 2048},type=c\n"
        f"start={(8 + _FAT) * 2048},size={size * 2048},type=83\n",
    )
    call("dd", f"if={fat}", f"of={image}", "bs=1M", "seek=8", "conv=notrunc,sparse")
    fat.unlink()
    call(
        "mke2fs", "-q", "-F", "-t", "ext4", "-L", "rootfs", "-d", str(root), "-E",
        f"offset={(8 + _FAT) * _MIB}", str(image), f"{size}M",
    )
