//! What a decoding worker gives up ahead of its first file.
//!
//! A decoder that a hostile file took over could write files, open connections or read other processes. On Linux a
//! worker gives that up, for itself and for all programs that it starts, such as ffmpeg. What the kernel does not offer
//! is left out, and [`Confined`] says what holds.

use serde::{Deserialize, Serialize};

/// What holds for a worker and the programs that it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confined {
    /// Files are read-only, but for `/dev/null` (Landlock).
    pub read_only: bool,
    /// There are no new sockets, no look into other processes, no mounts and no changes of the kernel (seccomp).
    pub no_sockets: bool,
}

/// Confines the calling thread and those that it starts from now on. There is no way back.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[must_use]
pub fn confine() -> Confined {
    Confined {
        read_only: linux::read_only().unwrap_or(false),
        no_sockets: linux::no_sockets().is_ok(),
    }
}

/// Confines nothing on this system.
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
#[must_use]
pub fn confine() -> Confined {
    Confined::default()
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod linux {
    use landlock::{
        ABI, AccessFs, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError,
        RulesetStatus, path_beneath_rules,
    };
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

    /// Whether all rights to write are given up; older kernels know fewer of them.
    pub(super) fn read_only() -> Result<bool, RulesetError> {
        let status = Ruleset::default()
            .handle_access(AccessFs::from_write(ABI::V5))?
            .create()?
            .add_rules(path_beneath_rules(["/dev/null"], AccessFs::WriteFile))?
            .restrict_self()?;
        Ok(status.ruleset != RulesetStatus::NotEnforced)
    }

    /// Calls that no decoder needs. They fail with `EPERM`.
    const REFUSED: [i64; 28] = [
        libc::SYS_socket,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_accept,
        libc::SYS_accept4,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_getfd,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_setns,
        libc::SYS_unshare,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_io_uring_setup,
        libc::SYS_userfaultfd,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_open_by_handle_at,
        libc::SYS_kexec_load,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
    ];

    pub(super) fn no_sockets() -> Result<(), Box<dyn std::error::Error>> {
        let filter = SeccompFilter::new(
            REFUSED.into_iter().map(|call| (call, Vec::new())).collect(),
            SeccompAction::Allow,
            SeccompAction::Errno(libc::EPERM.unsigned_abs()),
            TargetArch::try_from(std::env::consts::ARCH)?,
        )?;
        let program = BpfProgram::try_from(filter)?;
        Ok(seccompiler::apply_filter(&program)?)
    }
}
