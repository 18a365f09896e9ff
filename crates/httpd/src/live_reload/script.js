(()=>{
  let since=document.currentScript.dataset.since,source=null;
  const close=()=>{source?.close();source=null};
  const open=()=>{
    if(source||document.hidden)return;
    source=new EventSource("/.httpd/live-reload?since="+since);
    source.addEventListener("reload",()=>location.reload());
    source.addEventListener("styles",event=>{
      since=event.data;
      for(const link of document.querySelectorAll('link[rel~="stylesheet"][href]')){
        const address=new URL(link.href);
        if(address.origin!==location.origin)continue;
        address.searchParams.set("live",since);
        const next=link.cloneNode();
        next.href=address;
        next.addEventListener("load",()=>link.remove());
        link.after(next);
      }
    });
    source.addEventListener("error",()=>{close();setTimeout(open,1000)});
  };
  document.addEventListener("visibilitychange",()=>document.hidden?close():open());
  addEventListener("pagehide",close);
  addEventListener("pageshow",event=>event.persisted&&open());
  open();
})();
