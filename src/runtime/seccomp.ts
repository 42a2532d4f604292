/**
 * The system calls a container may make: an allow-list, so that what a new kernel adds is refused until someone has
 * looked at it. What the kernel itself guards by a capability is allowed with that capability only.
 */
import { constants } from "node:os";

/** The part of the OCI runtime spec that runc hands to libseccomp (which skips names it does not know). */
export interface SeccompProfile {
  readonly defaultAction: "SCMP_ACT_ERRNO";
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly SeccompRule[];
}

export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: "SCMP_ACT_ALLOW" | "SCMP_ACT_ERRNO";
  readonly errnoRet?: number;
  readonly args?: readonly {
    readonly index: number;
    readonly value: number;
    readonly valueTwo?: number;
    readonly op: "SCMP_CMP_EQ" | "SCMP_CMP_LT" | "SCMP_CMP_MASKED_EQ";
  }[];
}

/** node's name of the processor → libseccomp's, with the 32-bit modes whose programs also run on it. */
const ARCHITECTURES: Readonly<Record<string, readonly string[]>> = {
  x64: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
  arm64: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
};

/** Every CLONE_NEW… flag of clone(2): new cgroup, uts, ipc, user, pid, net and mount namespaces. */
const CLONE_NEW_FLAGS = 0x7e02_0000;
/** From AF_ALG (38) upward the address families are kernel-side engines (ALG, VSOCK, XDP …), a rich source of holes. */
const FIRST_REFUSED_ADDRESS_FAMILY = 38;
/** personality(2): Linux, 32-bit Linux, both with UNAME26, and the query. The others loosen memory protections. */
const PERSONALITIES = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

const ALLOWED: Readonly<Record<string, string>> = {
  files: `access cachestat chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3
    faccessat faccessat2 fadvise64 fadvise64_64 arm_fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown
    fchown32 fchownat fcntl fcntl64 fdatasync flock fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate
    ftruncate64 futimesat getcwd getdents getdents64 ioctl lchown lchown32 link linkat lseek _llseek lstat lstat64
    memfd_create mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 pipe pipe2 pread64
    preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv rename renameat renameat2 rmdir
    sendfile sendfile64 splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range
    sync_file_range2 syncfs tee truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes
    vmsplice write writev`,
  attributes: `fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat
    llistxattr lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat`,
  waiting: `epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old
    eventfd eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy
    io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit _newselect poll ppoll ppoll_time64 pselect6
    pselect6_time64 select signalfd signalfd4 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime
    timerfd_settime64`,
  memory: `brk madvise map_shadow_stack membarrier memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect
    mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease
    remap_file_pages`,
  // ptrace and friends reach no further than the container's own pid namespace.
  processes: `arch_prctl breakpoint cacheflush execve execveat exit exit_group fork futex futex_requeue
    futex_time64 futex_wait futex_waitv futex_wake get_robust_list get_thread_area getpgid getpgrp getpid getppid
    getsid gettid kill modify_ldt pause pidfd_open pidfd_send_signal prctl process_vm_readv process_vm_writev ptrace
    restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
    rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo set_robust_list set_thread_area set_tid_address set_tls
    setpgid setsid sigaltstack sigprocmask sigreturn tgkill tkill vfork wait4 waitid waitpid`,
  identity: `capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid
    getresgid32 getresuid getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32
    setgroups setgroups32 setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setuid
    setuid32`,
  // Confining oneself further is always welcome.
  sandboxing: "landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp",
  resources: `getcpu getpriority getrandom getrlimit getrusage ioprio_get ioprio_set prlimit64 sched_get_priority_max
    sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
    sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
    setpriority setrlimit sysinfo times ugetrlimit uname`,
  time: `adjtimex alarm clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
    clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create timer_delete timer_getoverrun
    timer_gettime timer_gettime64 timer_settime timer_settime64`,
  network: `accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg
    recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair`,
  ipc: `ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64
    mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget`,
};

/** Capability → the system calls that are of use only with it. */
const ALLOWED_WITH: Readonly<Record<string, string>> = {
  BPF: "bpf",
  DAC_READ_SEARCH: "open_by_handle_at",
  PERFMON: "perf_event_open",
  SYS_ADMIN: `bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick listmount lookup_dcookie mount
    mount_setattr move_mount open_tree perf_event_open pivot_root quotactl quotactl_fd setdomainname sethostname setns
    statmount syslog umount umount2 unshare`,
  SYS_BOOT: "reboot",
  SYS_CHROOT: "chroot",
  SYS_MODULE: "delete_module finit_module init_module",
  SYS_NICE: "get_mempolicy mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node",
  SYS_PACCT: "acct",
  SYS_PTRACE: "kcmp pidfd_getfd process_madvise",
  SYS_RAWIO: "ioperm iopl",
  SYS_TIME: "clock_adjtime clock_adjtime64 clock_settime clock_settime64 settimeofday stime",
  SYS_TTY_CONFIG: "vhangup",
  SYSLOG: "syslog",
};

/** The profile of a container with these capabilities (without `CAP_`). */
export function seccompProfile(
  architecture: string,
  capabilities: ReadonlySet<string>,
): SeccompProfile {
  const gated = Object.entries(ALLOWED_WITH)
    .filter(([capability]) => capabilities.has(capability))
    .map(([, names]) => names);
  const names = [...Object.values(ALLOWED), ...gated].flatMap((text) => text.split(/\s+/));
  const allow = "SCMP_ACT_ALLOW" as const;
  const syscalls: SeccompRule[] = [
    { names: [...new Set(names)].sort(), action: allow },
    {
      names: ["socket"],
      action: allow,
      args: [{ index: 0, value: FIRST_REFUSED_ADDRESS_FAMILY, op: "SCMP_CMP_LT" }],
    },
    ...PERSONALITIES.map((value) => ({
      names: ["personality"],
      action: allow,
      args: [{ index: 0, value, op: "SCMP_CMP_EQ" as const }],
    })),
  ];
  if (!capabilities.has("SYS_ADMIN")) syscalls.push(...cloneWithoutNamespaces());
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: constants.errno.EPERM,
    architectures: ARCHITECTURES[architecture] ?? [],
    syscalls,
  };
}

/** clone3 has its flags in memory, where seccomp cannot look: programs that see ENOSYS fall back to clone. */
function cloneWithoutNamespaces(): readonly SeccompRule[] {
  return [
    {
      names: ["clone"],
      action: "SCMP_ACT_ALLOW",
      args: [{ index: 0, value: CLONE_NEW_FLAGS, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
    },
    { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: constants.errno.ENOSYS },
  ];
}
