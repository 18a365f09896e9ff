//! The command line of sendmail(8).
