export PATH=/lab/bin:$PATH
