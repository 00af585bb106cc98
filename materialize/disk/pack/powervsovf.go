package pack

import (
	"bytes"
	"encoding/xml"
	"text/template"
)

// powerVSCapacity is the size that cosa's template gives a system's disk: 120 GiB.
const powerVSCapacity = 120 << 30 // bytes

// powerVSTemplate is a descriptor (DMTF DSP0243) with one system of one disk. What is
// of the name space ibmpvc is IBM's: PowerVC asks for the architecture and for the
// disk to boot from. 80 is RHEL of 64 bits in CIM's list of systems, 17 a disk drive
// in its list of resources.
const powerVSTemplate = `<?xml version="1.0" encoding="UTF-8"?>
<ovf:Envelope xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
    xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
    xmlns:pvc="ibmpvc">
  <ovf:References>
    <ovf:File href="{{xml .Disk}}" id="file1" size="{{.Size}}"/>
  </ovf:References>
  <ovf:DiskSection>
    <ovf:Info>Disks</ovf:Info>
    <ovf:Disk capacity="{{.Capacity}}" capacityAllocationUnits="byte" diskId="disk1" fileRef="file1"/>
  </ovf:DiskSection>
  <ovf:VirtualSystemCollection>
    <ovf:VirtualSystem ovf:id="vs0">
      <ovf:Name>{{xml .Image}}</ovf:Name>
      <ovf:Info/>
      <ovf:ProductSection>
        <ovf:Info/>
        <ovf:Product/>
      </ovf:ProductSection>
      <ovf:OperatingSystemSection ovf:id="80">
        <ovf:Info/>
        <ovf:Description>{{xml .Description}}</ovf:Description>
        <pvc:architecture>ppc64le</pvc:architecture>
      </ovf:OperatingSystemSection>
      <ovf:VirtualHardwareSection>
        <ovf:Info>Storage</ovf:Info>
        <ovf:Item>
          <rasd:Description>Boot disk</rasd:Description>
          <rasd:ElementName>{{xml .Disk}}</rasd:ElementName>
          <rasd:HostResource>ovf:/disk/disk1</rasd:HostResource>
          <rasd:InstanceID>1</rasd:InstanceID>
          <rasd:ResourceType>17</rasd:ResourceType>
          <pvc:boot>True</pvc:boot>
        </ovf:Item>
      </ovf:VirtualHardwareSection>
    </ovf:VirtualSystem>
    <ovf:Info/>
    <ovf:Name>{{xml .Image}}</ovf:Name>
  </ovf:VirtualSystemCollection>
</ovf:Envelope>
`

// powerVSOVF gives the descriptor for a disk of that many bytes.
func powerVSOVF(size int64, o PowerVSOptions) ([]byte, error) {
	t, err := template.New("ovf").Funcs(template.FuncMap{"xml": escapeXML}).Parse(powerVSTemplate)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, struct {
		Image, Description, Disk string
		Size, Capacity           int64
	}{
		o.imageName(), o.Name + " " + o.Summary + " " + o.Version, o.diskName(),
		size, max(size, powerVSCapacity),
	})
	return b.Bytes(), err
}

func escapeXML(s string) (string, error) {
	var b bytes.Buffer
	err := xml.EscapeText(&b, []byte(s))
	return b.String(), err
}
