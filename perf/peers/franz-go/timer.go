package main

import (
	"os"
	"syscall"
	"unsafe"
)

const (
	clockMonotonic = 1
	timerNonblock  = 0x800
	timerCloexec   = 0x80000
)

// A timerfd, read through the runtime's poller.
func newTimer() *os.File {
	fd, _, err := syscall.Syscall(syscall.SYS_TIMERFD_CREATE, clockMonotonic, timerNonblock|timerCloexec, 0)
	if err != 0 {
		giveUp("timerfd: %v", err)
	}
	return os.NewFile(fd, "timer")
}

// Interval, and time until it expires.
func timerSet(timer *os.File, value *[2]syscall.Timespec) error {
	raw, err := timer.SyscallConn()
	if err != nil {
		return err
	}
	var failed syscall.Errno
	err = raw.Control(func(fd uintptr) {
		_, _, failed = syscall.Syscall6(syscall.SYS_TIMERFD_SETTIME, fd, 0, uintptr(unsafe.Pointer(value)), 0, 0, 0)
	})
	if err == nil && failed != 0 {
		err = failed
	}
	return err
}
