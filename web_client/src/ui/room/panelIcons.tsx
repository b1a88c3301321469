import { Icon } from "../icons";

export const ChatIcon = () => (
  <Icon>
    <path d="M4 5h16v11H10l-4 4v-4H4z" />
  </Icon>
);

export const ScreenIcon = () => (
  <Icon>
    <rect x="3" y="4.5" width="18" height="12" rx="1" />
    <path d="M9 20h6M12 16.5V20M12 13V8M9.5 10.2 12 7.8l2.5 2.4" />
  </Icon>
);

export const PauseIcon = () => (
  <Icon>
    <path d="M3 12s3.4-6 9-6 9 6 9 6-3.4 6-9 6-9-6-9-6zM4 4l16 16" />
  </Icon>
);

export const ResumeIcon = () => (
  <Icon>
    <path d="M3 12s3.4-6 9-6 9 6 9 6-3.4 6-9 6-9-6-9-6z" />
    <circle cx="12" cy="12" r="2.6" />
  </Icon>
);

export const InviteIcon = () => (
  <Icon>
    <circle cx="10" cy="8" r="3.4" />
    <path d="M3.5 19.5c.6-3.8 3-5.8 6.5-5.8 1.4 0 2.6.3 3.6.9M18 14v6M15 17h6" />
  </Icon>
);

export const EndIcon = () => (
  <Icon>
    <path d="M12 3v8M6.6 6.6a8 8 0 1 0 10.8 0" />
  </Icon>
);

export const SettingsIcon = () => (
  <Icon>
    <path d="M4 7h9M17 7h3M4 17h3M11 17h9" />
    <circle cx="15" cy="7" r="2" />
    <circle cx="9" cy="17" r="2" />
  </Icon>
);

export const FileIcon = () => (
  <Icon>
    <path d="M6 3h8l4 4v14H6zM14 3v4h4" />
  </Icon>
);

export const AttachIcon = () => (
  <Icon>
    <path d="m8 12.5 6-6a3 3 0 0 1 4.3 4.2l-8 8a5 5 0 0 1-7-7L11 4" />
  </Icon>
);

export const SendIcon = () => (
  <Icon>
    <path d="M4 12 20 4l-5 16-3.5-6.5z" />
  </Icon>
);

export const CloseIcon = () => (
  <Icon>
    <path d="M6 6 18 18M18 6 6 18" />
  </Icon>
);

export const OpinionIcon = () => (
  <Icon>
    <path d="M6 3h12v18H6zM9 8h6M9 12h6M9 16h3" />
  </Icon>
);

export const LockIcon = () => (
  <Icon>
    <rect x="5" y="11" width="14" height="9" rx="1" />
    <path d="M8 11V8a4 4 0 0 1 8 0v3" />
  </Icon>
);
