package ddstest

import (
	"strings"
	"time"
)

// SampleBackups returns the backups that the sample events name, the same every time. All of them can
// be deleted, except for two: the eleventh is being restored, the twelfth was made automatically.
func SampleBackups() []Backup {
	ids := strings.Fields(`
		8d9586c40b33449a815518d4635a2cd9br02 2f0c1d7e9a4b4c1f8e55d0a3b6c7e801br02 5b6d3c90e1f24a77b0c98d21f4a3e602br02
		a17e4f02c8d94b3fa6f0e5d4c3b2a103br02 c40e9d8b7a6f4e5d9c3b2a1f0e9d8c04br02 e93b5a7c1d2f4086b7a8c9d0e1f20305br02
		71c2d3e4f5a64b7c8d9e0f1a2b3c4d06br02 0a1b2c3d4e5f46789a8b7c6d5e4f3a07br02 b8c7d6e5f4a34b2c9d1e0f9a8b7c6d08br02
		96f5e4d3c2b14a0f8e7d6c5b4a392809br02 d2e3f4a5b6c74d8e9f0a1b2c3d4e5f10br02 13f4a5b6c7d84e9f8a0b1c2d3e4f5a11br02
		f6fadfe5c15b4293b2da5cc13da58a12br02 8f7b76d015b04c2c83888f28f0048113br02 637d6e609e464ada979f818a119b9e14br02
		12e74ffab36748a78beb7e0787c0de15br02 ba2dde458bfe40a782755f6cace4d516br02 482c590d97824fcda83011ac8efe1217br02
		0b80a253a12945a98258ef7777682c18br02 789c1a0ce8fc49459c16b9c20dbc2119br02 b9c8b9e46ed647d4b9c7723226db9420br02
		a30f43bbeeb6461da3bc6d96f0da8421br02 84c4b86785374368a58909ccb2b41622br02 a6e0f39514b74de2bd0478ff53a46f23br02
		8993380c28ce41b9a722af64b9369724br02 0e3a6520731a424cab1eb44f1eaccf25br02 ac333b7e9bf74c6599a9d5ac9130f426br02
		6c2386cc86ba4403b472ca4495f8b427br02 c3dd7580857846eca25f09a227f03928br02 a16ec1307a6f442fb7b23abb262a9329br02
		adf438b27c1c448f99aaa5729ad53c30br02 b972e7f1a38d4268840c65d27cb23831br02 acb70d42762344d08f7b11205fe2f732br02
		8744ee6d933640f994b930b21b1c2e33br02 b338afb776a54829aa4bb956e78ec734br02 84be37dfe6c54beaa4bd0d405eb31135br02
		8a4282f0d379472fbcbeb2670c1cd336br02 adff3235dd8944a788022a4eedef2a37br02 e615dc0b7ef24e39bdfa336763df9c38br02
		0f66fa1834394e39a363081216b6dc39br02 3c6dd376dca846649b38090780b8cf40br02 3fde05a886904732bce8117c77833f41br02
		9b26bec863084342ab6def559c11d442br02 513b7cd711ca4005a8d8254589928943br02 cc650136ec734b5aa4e22fcf6f4db344br02
		265aad9891be4effaea35374d7a29145br02 95cb939543cb46ce8bdd3e61eaad3646br02 a384626892d443b786ca85187904c847br02
		1e81f520ba874650a5c310f63fcde548br02 9967c081bd944d53b1a905301ac87949br02 3ecdfb17cf7c43c080b85b5155063a50br02
		874bf8499b9345ac814f213152826b51br02 454d43175de64cc6908d21ad17cc6352br02 fbf44cc408bb409c8976ca6ebebbaa53br02
		5d0f3b8e27c94a61b1f2c7d9e8a06b54br02 e7a94c1d60b2438f9d35f0c8a1b7e655br02
		c679a5e481e8d1caa80eee0eee83d656br02 346bdf29943687fb062aba532bf18b57br02 1f88a47ee40f97e5b1390c0ad7ee6e58br02
		f752a539530fe07c41cc64a7e1923d59br02 b5ccfb10f457ad62dffa6f997131c560br02 a7140ce2f880433e58caf1132088cc61br02
		4a3b2e8bfdc7b10dd1d49d01385b0462br02 f706211a20115549006f85322628b963br02 168dfbbe787fef07ee24e6132dd56464br02`)
	first := time.Date(2025, time.November, 2, 2, 0, 0, 0, time.UTC)
	backups := make([]Backup, len(ids))
	for i, id := range ids {
		begin := first.AddDate(0, 0, 7*i)
		backups[i] = Backup{
			ID: id, Name: "backup-" + begin.Format("20060102"), Description: "before the weekly maintenance",
			Begin: begin, End: begin.Add(4*time.Minute + time.Duration(i)*time.Second), SizeKB: int64(1<<20 + i<<14),
		}.withDefaults(begin)
	}
	restoring, auto := &backups[10], &backups[11]
	restoring.Restoring = true
	restoring.InstanceID, restoring.InstanceName = "47c9a1e05d3b4f2886d1b0c7e9f3a25bin02", "dds-billing"
	auto.Type = "Auto"
	auto.Description = ""
	return backups
}
